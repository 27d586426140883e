"""`simulate`: results, errors, arguments, and that the same run is the same run."""

import os
import random
import subprocess
import sys
import time

import pytest

import bsbpool
import bsbpool_sim
from bsbpool.trace import VERSION
from bsbpool_sim import (
    AbortError,
    DeadlockError,
    HorizonError,
    RankErrors,
    ScriptError,
    SimulationError,
    simulate,
)
from bsbpool_sim.default_strategies import Shuffled
from bsbpool_sim.kernel import Kernel


class Script:
    """Kills a rank, and may find fault with itself afterwards."""

    def __init__(self, rank=None, at=0, wrong=None):
        self.rank, self.at, self.wrong, self.checked = rank, at, wrong, False

    def install(self, cluster):
        if self.rank is not None:
            cluster.kernel.at(self.at, cluster.kernel.kill, cluster.kernel.ranks[self.rank])

    def check(self, cluster):
        self.checked = True
        if self.wrong:
            raise ScriptError(self.wrong)


def sleeps(comm):
    time.sleep(comm.rank + 0.5)
    return comm.rank


def test_results_come_by_rank():
    assert simulate(sleeps, 3).results == [0, 1, 2]


def test_elapsed_is_the_virtual_time_of_the_last_end():
    assert simulate(sleeps, 100).elapsed == 99.5


def test_the_trace_has_each_message_as_its_receiver_got_it():
    def program(comm):
        time.sleep(1)
        return comm.send(b"x", 1, tag=7) if comm.rank == 0 else comm.recv()

    (event,) = simulate(program, 2).trace
    assert event == {"t": 10**9, "e": "receive", "rank": 1, "source": 0, "tag": 7, "size": event["size"]}


def test_the_trace_begins_with_nothing_of_this_machine():
    trace = simulate(sleeps, 2, seed=5).trace
    assert trace.header == {
        "trace": "bsbpool", "version": VERSION, "ranks": 2, "hosts": ["simulated"], "simulated": True, "seed": 5,
    }  # fmt: skip


def test_a_rank_that_dies_has_no_result():
    simulation = simulate(sleeps, 3, script=Script(2, 10**9))
    assert simulation.results == [0, 1, None]
    assert simulation.died == {2: 1.0}
    assert simulation.elapsed == 1.5


def raises(*ranks, then=lambda comm: comm.rank):
    def program(comm):
        time.sleep(comm.rank)
        if comm.rank in ranks:
            raise ValueError("boom")
        return then(comm)

    return program


def test_one_rank_that_raises_is_named():
    with pytest.raises(RankErrors, match=r"rank 2 raised ValueError: boom") as caught:
        simulate(raises(2), 4)
    (error,) = caught.value.exceptions
    assert error.__notes__ == ["on simulated rank 2, at 2 s"]
    assert caught.value.by_rank == {2: error}
    assert caught.value.simulation.results == [0, 1, None, 3]


def test_of_several_ranks_that_raise_the_first_is_shown():
    with pytest.raises(RankErrors, match="ranks 1, 3 raised; rank 1 first: ValueError: boom"):
        simulate(raises(1, 3), 4)


def test_errors_of_ranks_can_be_sorted_by_except_star():
    with pytest.raises(RankErrors) as caught:
        simulate(raises(1), 2)
    assert isinstance(caught.value.subgroup(ValueError), RankErrors)


def test_those_who_wait_for_a_rank_that_raised_are_a_note():
    with pytest.raises(RankErrors, match="rank 1 raised") as caught:
        simulate(raises(1, then=lambda comm: comm.recv(source=1)), 2)
    assert "rank 0 waits for a message from rank 1, which has raised, with any tag" in caught.value.__notes__[0]


def test_a_script_that_fits_is_checked_after_the_run():
    script = Script()
    simulate(sleeps, 1, script=script)
    assert script.checked


def test_a_script_that_does_not_fit_is_an_error():
    with pytest.raises(ScriptError, match="no such job"):
        simulate(sleeps, 1, script=Script(wrong="no such job"))


def test_errors_of_ranks_come_before_those_of_the_script():
    with pytest.raises(RankErrors) as caught:
        simulate(raises(0), 1, script=Script(wrong="no such job"))
    assert caught.value.__notes__ == ["and the script: no such job"]
    with pytest.raises(RankErrors) as caught:
        simulate(raises(0), 1, script=Script())
    assert not hasattr(caught.value, "__notes__")


def test_a_deadlock_is_raised_at_once_with_the_users_lines():
    def program(comm):
        if comm.rank == 0:
            comm.recv(source=1, tag=5)
        elif comm.rank != 3:
            comm.barrier()

    with pytest.raises(DeadlockError) as caught:
        simulate(program, 4)
    first = program.__code__.co_firstlineno
    where = f"since 0 s, at {__file__}:"
    wait = "ranks 0, 3 to call barrier() (they have not called it; rank 3 has ended)"
    assert str(caught.value).splitlines()[1:] == [
        f"  rank 0 waits for a message from rank 1 with tag 5 (recv), {where}{first + 2} in program",
        f"  rank 1 waits for {wait}, {where}{first + 4} in program",
        f"  rank 2 waits for {wait}, {where}{first + 4} in program",
        "  rank 3 ended at 0 s",
    ]
    assert caught.value.simulation.results == [None] * 4


def test_a_wait_inside_the_standard_library_is_reported_at_the_users_line():
    def program(comm):
        return sorted([1], key=lambda _: __import__("functools").reduce(lambda a, b: comm.recv(), [1, 2]))

    with pytest.raises(DeadlockError, match=f"{os.path.basename(__file__)}:"):
        simulate(program, 1)


def test_who_waits_for_a_dead_rank_is_told_so():
    with pytest.raises(DeadlockError, match="a message from rank 1, which died at 5 s, with any tag"):
        simulate(lambda comm: comm.recv(source=1), 2, script=Script(1, 5 * 10**9))


@pytest.mark.parametrize(
    ("limits", "text"), [({"horizon": 10}, "horizon of 10 s"), ({"max_events": 100}, "more than 100 events")]
)
def test_what_goes_on_for_ever_is_given_up(limits, text):
    def program(comm):
        while not comm.iprobe():
            time.sleep(1)

    with pytest.raises(HorizonError, match=text):
        simulate(program, 2, **limits)


def test_a_loop_of_sleeps_of_no_time_is_given_up_too():
    def program(comm):
        while True:
            time.sleep(0)

    with pytest.raises(HorizonError):
        simulate(program, 1, max_events=1000)


def test_abort_ends_all_and_names_the_rank():
    def program(comm):
        if comm.rank == 1:
            time.sleep(3)
            comm.Abort(77)
        comm.recv()

    with pytest.raises(AbortError, match=r"rank 1 called Abort\(77\) at 3 s") as caught:
        simulate(program, 3)
    assert caught.value.errorcode == 77
    assert caught.value.simulation.results == [None] * 3


@pytest.mark.parametrize("status", [None, 0])
def test_a_program_may_exit_without_error(status):
    assert simulate(lambda comm: sys.exit(status), 2).results == [None, None]


def test_a_program_that_exits_with_an_error_raised():
    with pytest.raises(RankErrors, match="exit status 3"):
        simulate(lambda comm: sys.exit(3), 2)


def test_an_interrupt_goes_to_the_caller_at_once():
    def program(comm):
        if comm.rank:
            raise KeyboardInterrupt
        comm.recv()

    with pytest.raises(KeyboardInterrupt):
        simulate(program, 2)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"ranks": 0}, "ranks=0: it must be an integer, 1 or more, up to 10,000"),
        ({"ranks": 10_001}, "ranks=10001: it must be an integer, 1 or more, up to 10,000"),
        ({"ranks": 2.0}, "ranks=2.0"),
        ({"ranks": True}, "ranks=True"),
        ({"seed": "x"}, "seed='x'"),
        ({"latency": -1}, "latency=-1"),
        ({"latency": float("nan")}, "latency=nan"),
        ({"bandwidth": 0}, "bandwidth=0"),
        ({"horizon": 0}, "horizon=0"),
        ({"max_events": 0}, "max_events=0"),
        ({"policy": "random"}, "policy='random'"),
        ({"policy": 3}, "policy=3"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        simulate(**{"program": sleeps, "ranks": 2, **arguments})


def test_a_program_must_be_a_function():
    with pytest.raises(TypeError, match="program must be a function"):
        simulate("sleeps", 2)  # type: ignore[arg-type]


def test_simulations_are_not_nested():
    with pytest.raises(RankErrors, match="called on simulated rank 0") as caught:
        simulate(lambda comm: simulate(sleeps, 1), 1)
    assert isinstance(caught.value.by_rank[0], SimulationError)


def test_everything_is_restored_whatever_is_raised():
    clocks = time.sleep, time.time, time.monotonic
    state = random.getstate()
    with pytest.raises(RankErrors):
        simulate(lambda comm: random.random() / 0, 2)
    assert (time.sleep, time.time, time.monotonic) == clocks
    assert random.getstate() == state


def gossip(comm):
    """Messages whose order depends on all that could vary."""
    for _ in range(5):
        time.sleep(random.random())
        comm.send({"from": comm.rank, "to": {"x", "y"}}, random.randrange(comm.size), tag=random.randrange(3))
    time.sleep(10)
    got = []
    while comm.iprobe():
        got.append(comm.recv()["from"])
    return comm.allgather(got)


@pytest.mark.parametrize("policy", [None, "shuffled", Shuffled(9)])
def test_the_same_seed_gives_the_same_trace(policy):
    def digest(seed):
        return simulate(gossip, 8, seed=seed, latency=1e-3, policy=policy if seed < 2 else None).trace.digest()

    if not isinstance(policy, Shuffled):
        assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_the_trace_is_the_same_under_every_hash_seed():
    code = "import test_simulate as t; print(t.simulate(t.gossip, 8, seed=3, policy='shuffled').trace.digest())"
    here = os.path.dirname(__file__)
    paths = [here, *(p for p in sys.path if p)]
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }  # fmt: skip
    assert digests == {simulate(gossip, 8, seed=3, policy="shuffled").trace.digest() + "\n"}


def test_ten_thousand_ranks_reduce():
    assert set(simulate(lambda comm: comm.allreduce(comm.rank), 10_000).results) == {49_995_000}


def test_the_package_names_what_it_exports():
    assert all(hasattr(bsbpool_sim, name) for name in bsbpool_sim.__all__)


def test_importing_the_simulator_imports_neither_numpy_nor_mpi4py():
    code = "import sys, bsbpool_sim; print([m for m in ('numpy', 'mpi4py') if m in sys.modules])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize(("seconds", "watched"), [(0, []), (1, [1, 2])])
def test_a_task_watches_over_a_rank_only_once_a_job_there_takes_time(monkeypatch, seconds, watched):
    made, make = [], Kernel.make

    def noted(kernel, rank, name, *args):
        made.append((name, rank.index))
        return make(kernel, rank, name, *args)

    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                for _ in range(40):
                    pool.queue(lambda owner: None)
                for _ in range(2):
                    pool.queue(lambda owner: time.sleep(seconds))
                for _ in range(40):
                    pool.queue(lambda owner: None)
            pool.execute()

    monkeypatch.setattr(Kernel, "make", noted)
    simulate(program, 3)
    assert sorted(made) == [("program", rank) for rank in range(3)] + [("watch", rank) for rank in watched]
