"""Exploring ranks that are said to do the same: which comes first is tried once, and nothing else is left out."""

import itertools
import random

import pytest
from launching import run

from bsbpool_sim import ExplorationError, explore
from bsbpool_sim import mpi as MPI
from bsbpool_sim.exploring.alike import AlikeRanks
from bsbpool_sim.exploring.exhaustive import Exhaustive, Redundant
from bsbpool_sim.exploring.schedules import Function


def master_of(jobs):
    """A master that gives the next job to whoever asks for one, and nothing when there is none left."""

    def program(comm):
        if comm.rank:
            comm.send("ready", 0)
            while (job := comm.recv(source=0)) is not None:
                comm.send(job, 0)
            return None
        todo, status, left = list(range(jobs)), MPI.Status(), comm.size - 1
        while left:
            comm.recv(status=status)
            left -= not todo
            comm.send(todo.pop(0) if todo else None, status.source)
        return None

    return program


def senders(comm):
    if comm.rank:
        return comm.send("done", 0)
    return [comm.recv() for _ in range(comm.size - 1)]


@pytest.mark.parametrize(
    ("program", "ranks", "all_of_them", "as_alike"),
    [(master_of(4), 3, 32, 16), (master_of(4), 4, 486, 81), (senders, 5, 24, 1)],
)
def test_ranks_that_nobody_can_tell_from_each_other_are_counted_once(program, ranks, all_of_them, as_alike):
    assert explore(program, ranks).schedules == all_of_them
    exploration = explore(program, ranks, alike=range(1, ranks))
    assert exploration.complete
    assert exploration.schedules == as_alike
    named = ", ".join(map(str, range(1, ranks)))
    assert str(exploration).startswith(f"complete: {as_alike} schedule")
    assert f", where ranks {named} are alike; no findings" in str(exploration)


def test_what_goes_wrong_with_any_of_them_is_found():
    def program(comm):
        if comm.rank:
            comm.send("ready", 0)
            comm.send("done", 0)
            return None
        taken = [comm.recv() for _ in range(2 * (comm.size - 1))]
        assert taken[1] == "ready", "one was done before all were ready"

    finding = explore(program, 3, alike=[2, 1]).findings[0]
    assert finding.message.startswith("rank 0 raised AssertionError: one was done before all were ready")


# -- ranks that are not alike ------------------------------------------------------------------------


def gives_out(comm):
    """A master that has a job for each at the beginning."""
    if comm.rank:
        return comm.send(comm.recv(source=0), 0)
    for worker in range(1, comm.size):
        comm.send(worker, worker)
    return [comm.recv() for _ in range(comm.size - 1)]


def says_who(comm):
    return comm.send(comm.rank, 0) if comm.rank else [comm.recv() for _ in range(comm.size - 1)]


def prefers_one(comm):
    """A master to which it matters which rank it is."""
    if comm.rank:
        comm.send("ready", 0)
        return comm.recv(source=0)
    status = MPI.Status()
    for _ in range(comm.size - 1):
        comm.recv(status=status)
        comm.send("urgent" if status.source == 2 else "normal", status.source)
    return None


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (gives_out, "ranks 1 and 2: message 1 of rank 0 to them is another one, or has another content"),
        (says_who, "ranks 1 and 2: message 1 to rank 0 is another one, or has another content"),
        (prefers_one, "ranks 1 and 2: what follows if 1 comes first is not what follows if 2 does"),
    ],
)
def test_ranks_that_are_not_alike_are_refused_with_what_they_do_otherwise(program, said):
    with pytest.raises(ExplorationError, match=f"^not alike are {said}"):
        explore(program, 3, alike=[1, 2])


@pytest.mark.parametrize("alike", [[1], [1, 3], [-1, 1]])
def test_ranks_that_are_not_there_are_refused(alike):
    with pytest.raises(ValueError, match="it must be two or more of the ranks 0 to 2"):
        explore(senders, 3, alike=alike)


def test_ranks_are_not_alike_where_faults_may_strike_some_of_them():
    with pytest.raises(ValueError, match="not alike where faults may strike"):
        explore(senders, 3, alike=[1, 2], faults=1)


def test_what_is_scattered_is_not_known_and_so_these_ranks_are_told_from_each_other():
    def program(comm):
        comm.scatter([*range(comm.size)] if comm.rank == 0 else None, 0)
        return senders(comm)

    assert explore(program, 3, alike=[1, 2]).schedules == 2


# -- nothing else is left out ------------------------------------------------------------------------

#: The first of the ranks that are alike in random programs; those before it are not.
FIRST = 2


def of_chance(seed, received):
    """A random program: workers that do the same, one who listens to them, and one who answers."""
    chance = random.Random(seed)
    works = chance.choices(["to 0", "to 0", "to 1", "answer"], k=chance.randint(1, 3))
    listens = chance.choices(["any", "any", "to 0"], k=chance.randint(0, 2))
    answers = chance.choices(["any", "any and answer", "any and answer", "tell all"], k=chance.randint(1, 4))

    def program(comm):
        status = MPI.Status()
        if comm.rank >= FIRST:
            for each in works:
                if each == "answer":
                    comm.recv(source=0)
                else:
                    comm.send("work", int(each[-1]))
            return
        for each in listens if comm.rank else answers:
            if each == "to 0":
                comm.send("heard", 0)
            elif each == "tell all":
                for worker in range(FIRST, comm.size):
                    comm.send("go on", worker)
            else:
                comm.recv(status=status)
                received[comm.rank].append(status.source)
                if "answer" in each and status.source >= FIRST:
                    comm.send("go on", status.source)

    return program


def ends(seed, ranks, alike):
    """How the schedules of a random program end, whatever the names of ranks that are alike."""
    received = [], []
    program = of_chance(seed, received)
    search = Exhaustive(True, AlikeRanks(range(FIRST, ranks)) if alike else None)
    once, found, count, more = Function(program, ranks, None, {}), set(), 0, True
    while more:
        for each in received:
            each.clear()
        try:
            schedule = once(search, None, late=True)
            count += 1
            found.add(min(_named(received, names) for names in itertools.permutations(range(FIRST, ranks))) + str(
                type(schedule.stopped)
            ))  # fmt: skip
        except Redundant:
            pass
        more = search.advance()
    return found, count


def _named(received, names):
    return str([[source if source < FIRST else names[source - FIRST] for source in each] for each in received])


def test_each_end_of_a_random_program_is_found_with_some_names():
    fewer = 0
    for seed in range(100):
        ranks = FIRST + 2 + seed % 2
        all_of_them, count = ends(seed, ranks, False)
        as_alike, less = ends(seed, ranks, True)
        assert as_alike == all_of_them, seed
        assert less <= count, seed
        fewer += less < count
    assert fewer > 30


def test_ranks_that_are_alike_are_named_on_the_command_line(tmp_path):
    (tmp_path / "it.py").write_text(
        "from mpi4py import MPI\ncomm = MPI.COMM_WORLD\n"
        "if comm.rank:\n    comm.send('x', 0)\nelse:\n    for _ in range(comm.size - 1):\n        comm.recv()\n"
    )

    def explored(*arguments):
        return run(program=["-m", "bsbpool", "explore", "-n", "4", *arguments, "it.py"], cwd=tmp_path)

    status, out, _ = explored("--alike", "1-3")
    assert (status, out) == (0, "complete: 1 schedule, where ranks 1, 2, 3 are alike; no findings\n")
    status, out, _ = explored("--alike", "1,2")
    assert (status, out) == (0, "complete: 3 schedules, where ranks 1, 2 are alike; no findings\n")
    status, _, err = explored("--alike", "1-4")
    assert (status, "--alike: it must be two or more of the ranks 0 to 3" in err) == (2, True)
    status, _, err = explored("--alike", "two")
    assert (status, "'two' names no ranks; 1-3 does, or 1,2,5" in err) == (2, True)


def test_a_program_whose_claim_can_not_be_checked_is_refused():
    def program(comm):
        if comm.rank:
            return comm.send("same", 0)
        comm.recv()
        requests = [comm.irecv(source=MPI.ANY_SOURCE) for _ in range(2)]
        MPI.Request.waitany(requests)
        MPI.Request.waitall(requests)

    with pytest.raises(ExplorationError, match=r"can't be checked .* which request ends"):
        explore(program, 4, alike=[1, 2, 3])
    assert explore(program, 4).complete
