"""Each rank draws from `random` and `numpy.random` as if it were a process, however it has come to their functions."""

import pickle
import random
import subprocess
import sys
import threading
from random import choice as choice_by_name
from random import getrandbits as bits_by_name
from random import random as random_by_name
from random import seed as seed_by_name

import numpy as np
import pytest
from numpy.random import normal as normal_by_name

from bsbpool_sim import explore, simulate
from bsbpool_sim.python.chance import NUMPY, PYTHON

#: Ways to draw; the first ones take what was bound before the simulation.
DRAWS = {
    "random by name": lambda: random_by_name(),
    "choice by name": lambda: choice_by_name(range(1000)),
    "getrandbits by name": lambda: bits_by_name(64),
    "random": lambda: random.random(),
    "shuffle": lambda: random.sample(range(99), 9),
    "gauss": lambda: random.gauss(),
    "the object": lambda: random._inst.random(),
    "NumPy by name": lambda: normal_by_name(),
    "NumPy": lambda: np.random.randint(1 << 30),
    "NumPy's object": lambda: np.random.mtrand._rand.normal(),
}


def seed(value):
    random.seed(value)
    np.random.seed(value)


@pytest.mark.parametrize("way", DRAWS)
def test_each_rank_goes_on_with_its_own_seed_while_others_draw(way):
    draw = DRAWS[way]

    def program(comm):
        seed(comm.rank)
        drawn = []
        for _ in range(5):
            drawn.append(draw())
            comm.barrier()
        return drawn

    alone = []
    for rank in range(3):
        seed(rank)
        alone.append([draw() for _ in range(5)])
    assert simulate(program, 3).results == alone


def test_what_was_imported_by_name_is_noticed():
    simulate(lambda comm: None, 1)  # NumPy is noticed when a simulation begins
    assert PYTHON.is_held()
    assert NUMPY.is_held()


@pytest.mark.parametrize(
    ("before", "held"),
    [
        ("import random", (False, False)),
        ("import random, numpy.random", (False, False)),
        ("import random, rich.style; from hypothesis import strategies", (False, False)),
        ("import random; from random import shuffle", (True, False)),
        ("import random; from random import *", (True, False)),
        ("import random\nclass Model:\n    draw = random.random", (True, False)),
        ("import random, numpy.random\ndef draw(by=numpy.random.rand):\n    return by()", (False, True)),
        ("import random; from numpy.random import *", (False, True)),
    ],
)
def test_who_has_a_function_since_before_is_noticed(before, held):
    code = (
        f"{before}\nimport random as again\n"
        "from bsbpool_sim import simulate\nfrom bsbpool_sim.python.chance import NUMPY, PYTHON\n"
        "def program(comm):\n"
        "    again.seed(5); drawn = []\n"
        "    for _ in range(3):\n        comm.barrier(); drawn.append(again.random())\n"
        "    return drawn\n"
        "first, second = simulate(program, 2).results\n"
        "again.seed(5); assert first == second == [again.random() for _ in range(3)], first\n"
        f"assert (PYTHON.is_held(), NUMPY.is_held()) == {held}\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300).stderr == ""


def test_unseeded_ranks_draw_apart_and_the_same_again():
    def program(comm):
        return random.random(), np.random.rand(), random_by_name()

    first, second = simulate(program, 2, seed=3).results
    assert not {*first} & {*second}
    assert simulate(program, 2, seed=3).results == [first, second]
    assert simulate(program, 2, seed=4).results != [first, second]

    def seeded_with_nothing(comm):
        seed_by_name()
        random.seed()
        np.random.seed()
        return random.random(), np.random.rand()

    first, second = simulate(seeded_with_nothing, 2).results
    assert first != second


@pytest.mark.parametrize("inside", [lambda comm: [draw() for draw in DRAWS.values()], lambda comm: seed(comm.rank)])
def test_the_process_goes_on_where_it_was(inside):
    for each in DRAWS.values():
        each()
    before = random.getstate(), str(np.random.get_state())
    simulate(inside, 2)
    assert (random.getstate(), str(np.random.get_state())) == before


def test_another_thread_that_draws_disturbs_no_rank():
    stop = threading.Event()

    def others():
        while not stop.is_set():
            random.random()
            np.random.rand()

    def program(comm):
        seed(7)
        drawn = []
        for _ in range(200):
            comm.barrier()
            drawn.append((random.randrange(99), np.random.randint(99)))
        return drawn

    alone = simulate(program, 2).results
    thread = threading.Thread(target=others)
    thread.start()
    try:
        assert simulate(program, 2).results == alone
    finally:
        stop.set()
        thread.join()
    assert alone[0] == alone[1]


def test_the_order_of_ranks_does_not_change_what_they_draw():
    def program(comm):
        random.seed(comm.rank)
        if comm.rank:
            comm.send(random.random(), 0)
            return None
        return sorted([comm.recv(), comm.recv()])

    exploration = explore(program, 3, same=lambda results: results[0])
    assert exploration.complete
    assert not exploration.findings


@pytest.mark.parametrize("draw", [lambda: random.random(), lambda: np.random.rand(), random_by_name])
def test_a_loop_that_draws_is_no_loop_that_only_waits(draw):
    def program(comm):
        random.seed(1)
        np.random.seed(1)
        while draw() < 0.9 and not comm.iprobe():
            pass

    exploration = explore(program, 2)
    assert exploration.complete
    assert not exploration.findings


def test_functions_are_pickled_by_name():
    def program(comm):
        return [pickle.loads(pickle.dumps(each)) is each for each in (random.shuffle, random.seed, np.random.rand)]

    assert simulate(program, 1).results == [[True, True, True]]


def test_a_method_of_numpys_generator_is_pickled_as_itself():
    def program(comm):
        normal = np.random.mtrand._rand.normal
        return normal.__name__, np.random.mtrand._rand.randint.__name__

    assert simulate(program, 1).results == [("normal", "randint")]


def test_numpy_that_a_rank_imports_is_seeded_anew_afterwards():
    code = (
        "import sys\nfrom bsbpool_sim import simulate\n"
        "def program(comm):\n    import numpy.random\n    return numpy.random.rand()\n"
        "assert 'numpy' not in sys.modules\n"
        "first = simulate(program, 2).results; assert first == simulate(program, 2).results\n"
        "import numpy.random; print(numpy.random.rand(3).tolist())\n"
    )
    run = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300) for _ in range(2)]
    assert [each.stderr for each in run] == ["", ""]
    assert run[0].stdout != run[1].stdout
