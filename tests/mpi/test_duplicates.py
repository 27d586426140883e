"""Pools on communicators that come and go: each finds a private duplicate, and MPI's few are not used up."""

import contextlib
import pickle
from typing import Any

import pytest

import bsbpool
from bsbpool.trace import TraceRecorder, read_trace
from bsbpool.worlds import world_of

pytestmark = pytest.mark.mpi

#: By MPI and ranks: more than MPICH has to give. Open MPI has more, and is slow to split one off on a busy machine.
MANY = {("MPICH", 2): 2_200}


@pytest.fixture
def world():
    """All ranks; and the duplicates that other tests left are out of the way."""
    from mpi4py import MPI

    from bsbpool.worlds import duplicates

    duplicates.spare.clear()
    return MPI.COMM_WORLD


def split(world):
    return world.Split(0, world.rank)


def run(comm, value):
    """The result of a pool with one job."""
    with bsbpool.Owner(comm).create_job_pool(quiet=True) as pool:
        job = pool.queue(lambda owner: value) if pool.is_main() else None
        pool.execute()
        return job.result if job else value


def mpi_world(comm) -> Any:
    """The world of these ranks, which is that of MPI here: it has a duplicate of their communicator."""
    return world_of(comm)


def private(comm):
    return mpi_world(comm).duplicate.comm


def test_a_program_may_open_pools_on_more_communicators_than_an_mpi_can_have(world):
    from mpi4py import MPI

    used = set()
    for number in range(MANY.get((MPI.get_vendor()[0], world.size), 50)):
        comm = split(world)
        assert run(comm, number) == number
        used.add(private(comm).handle)
        comm.Free()
    assert len(used) == 1


def test_communicators_that_are_there_together_have_a_duplicate_each(world):
    first, second = split(world), split(world)
    with bsbpool.Owner(first).create_job_pool(quiet=True) as pool:
        assert run(second, "inner") == "inner"
        job = pool.queue(lambda owner: "outer") if pool.is_main() else None
        pool.execute()
        assert job is None or job.result == "outer"
    before = {private(first).handle, private(second).handle}
    assert len(before) == 2
    first.Free()
    second.Free()
    again = [split(world), split(world), split(world)]
    assert [run(comm, number) for number, comm in enumerate(again)] == [0, 1, 2]
    after = {private(comm).handle for comm in again}
    assert len(after) == 3 and before < after
    for comm in again:
        comm.Free()


def test_other_ranks_or_another_order_have_a_duplicate_of_their_own(world):
    used = set()
    for key in (world.rank, -world.rank, world.rank):
        comm = world.Split(0, key)
        assert run(comm, key) is not None
        used.add(private(comm).handle)
        comm.Free()
    assert len(used) == 2
    part = world.Split(0 if world.rank < world.size - 1 else 1)
    if part.size > 1:
        assert run(part, 1) == 1
        assert private(part).handle not in used
    part.Free()


def test_a_duplicate_that_some_ranks_still_use_is_not_taken(world):
    first = split(world)
    run(first, 1)
    before = private(first).handle
    if world.rank == 0:
        first.Free()
    second = split(world)
    assert run(second, 2) == 2
    assert private(second).handle != before
    second.Free()
    if world.rank:
        first.Free()
    third = split(world)
    assert run(third, 3) == 3
    third.Free()


def test_a_communicator_may_be_freed_before_its_pool_is_closed(world):
    comm = split(world)
    with bsbpool.Owner(comm).create_job_pool(quiet=True) as pool:
        job = pool.queue(lambda owner: "done") if pool.is_main() else None
        pool.execute()
        comm.Free()
        assert job is None or job.result == "done"
    comm = split(world)
    assert run(comm, 1) == 1
    comm.Free()


def large(owner, number):
    return owner._comm.get_rank(), number, bytes([number]) * 300_000


def test_a_duplicate_without_the_dead_has_their_ranks_and_the_pool_counts_them_as_lost(world, tmp_path):
    from mpi4py import MPI

    from bsbpool.worlds.duplicates import UNKNOWN_HOST, Duplicate

    if world.size < 3:
        pytest.skip("takes a main, a rank that is dead, and one that is not")
    comm, dead = split(world), 1
    left = comm.Split(MPI.UNDEFINED if comm.rank == dead else 0)
    if comm.rank == dead:
        comm.Free()
        return
    hosts = [f"node{rank}" for rank in range(comm.size - 1)]
    duplicate = mpi_world(comm).duplicate = Duplicate(left, comm, hosts)
    assert duplicate.hosts == (hosts[0], UNKNOWN_HOST, *hosts[1:])
    assert duplicate.there == [0, MPI.PROC_NULL, *range(1, comm.size - 1)]
    assert duplicate.here == [0, *range(2, comm.size)]
    assert Duplicate(left, comm, ["node0"] * left.size).hosts == ("node0",)
    for number in range(2):
        with bsbpool.Owner(comm).create_job_pool(quiet=True) as pool:
            if pool.is_main():
                pool.add_listener(TraceRecorder(tmp_path / f"{number}.trace"))
            jobs = [pool.queue(large, (place,)) for place in range(20)] if pool.is_main() else []
            results = pool.execute(return_results=True)
        if pool.is_main():
            assert [event["rank"] for event in read_trace(tmp_path / f"{number}.trace").of("lost")] == [dead]
        for place, job in enumerate(jobs):
            rank, *result = results[job]
            assert result == [place, bytes([place]) * 300_000]
            assert rank != dead
    comm.Free()
    left.Free()


@pytest.fixture
def mortal(monkeypatch):
    """As with an MPI that goes on without dead ranks: `Shrink` here is a duplicate of all."""
    from bsbpool.worlds import duplicates

    monkeypatch.setattr(duplicates, "survives", lambda MPI: True)
    monkeypatch.setattr(duplicates, "shrunk", lambda comm: comm.Dup())
    return duplicates


def test_ranks_tell_each_other_again_if_one_died_meanwhile(world, mortal, monkeypatch):
    asked = []

    def tell(left, words):
        asked.append(left)
        return left.allgather(words) if len(asked) > 1 else None

    monkeypatch.setattr(mortal, "allgather_of_survivors", tell)
    for number in range(3):
        comm = split(world)
        assert run(comm, number) == number
        comm.Free()
    # The first was asked for twice; what came then served the others, and what they would have had was freed.
    assert len(asked) == 4
    assert [bool(left) for left in asked] == [True, True, False, False]


class Left:
    """What `Shrink` left, where telling each other ends so and so."""

    def __init__(self, problem, dead):
        self.problem, self.dead, self.size, self.revoked = problem, dead, dead, False

    def allgather(self, words):
        if self.problem is not None:
            raise self.problem
        return [words]

    def Revoke(self):
        self.revoked = True

    def Agree(self, done):
        from mpi4py import MPI

        if self.dead:
            raise MPI.Exception(MPI.ERR_PROC_FAILED)
        return done

    def Get_failed(self):
        return self

    def Free(self):
        pass


def test_what_was_told_while_a_rank_died_is_not_trusted():
    from mpi4py import MPI

    from bsbpool.worlds.duplicates import allgather_of_survivors

    make: Any = Left  # in place of a communicator
    words = ("host", 0, {})
    assert allgather_of_survivors(make(None, 0), words) == [words]
    assert allgather_of_survivors(make(None, 1), words) is None
    for problem in (pickle.UnpicklingError("rubbish"), MPI.Exception(MPI.ERR_PROC_FAILED)):
        left = make(problem, 1)
        assert allgather_of_survivors(left, words) is None
        assert left.revoked
    with pytest.raises(MemoryError):
        allgather_of_survivors(make(MemoryError(), 0), words)


def answer_late(owner):
    from mpi4py import MPI

    MPI.COMM_WORLD.isend(MPI.COMM_WORLD.rank, 0, tag=78)
    MPI.COMM_WORLD.recv(source=0, tag=77)
    return bytes(100)


def stop(progress):
    if hasattr(progress, "old_status") and hasattr(progress, "job") and progress.status.value == "running":
        raise RuntimeError("no more")


def test_what_arrives_late_for_a_pool_means_nothing_to_that_of_a_later_communicator(world):
    comm = split(world)
    answer = None
    pool = bsbpool.Owner(comm).create_job_pool(quiet=True)
    with contextlib.suppress(RuntimeError, bsbpool.WorkflowError), pool:
        if pool.is_main():
            pool.add_listener(stop)
            answer = pool.queue(answer_late)
        pool.execute()
    before = private(comm).handle
    if world.rank == 0:
        assert answer.status.value == "aborted"
        world.send(None, world.recv(tag=78), tag=77)  # its answer comes to a main that has left
    comm.Free()
    comm = split(world)
    with bsbpool.Owner(comm).create_job_pool(quiet=True) as pool:
        jobs = [pool.queue(lambda owner, i=i: i) for i in range(20)] if pool.is_main() else []
        results = pool.execute(return_results=True)
        assert [results[each] for each in jobs] == [*range(len(jobs))]
    assert private(comm).handle == before
    comm.Free()
