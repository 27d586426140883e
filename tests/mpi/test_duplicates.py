"""Pools on communicators that come and go: each finds a private duplicate, and MPI's few are not used up."""

import contextlib

import pytest

import bsbpool
from bsbpool.worlds import world_of

pytestmark = pytest.mark.mpi

#: By MPI and ranks: more than MPICH has to give. Open MPI has more, and is slow to split one off on a busy machine.
MANY = {("MPICH", 2): 2_200}


@pytest.fixture
def world():
    """All ranks; and the duplicates that other tests left are out of the way."""
    from mpi4py import MPI

    from bsbpool.worlds import duplicates

    duplicates._put_by.clear()
    return MPI.COMM_WORLD


def split(world):
    return world.Split(0, world.rank)


def run(comm, value):
    """The result of a pool with one job."""
    with bsbpool.Owner(comm).create_job_pool(quiet=True) as pool:
        job = pool.queue(lambda owner: value) if pool.is_main() else None
        pool.execute()
        return job.result if job else value


def private(comm):
    return world_of(comm).duplicate.comm


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
    return number, bytes([number]) * 300_000


def test_a_duplicate_without_the_dead_has_their_ranks_and_the_pool_counts_them_as_lost(world):
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
    duplicate = world_of(comm).duplicate = Duplicate(left, comm, hosts)
    assert duplicate.hosts == (hosts[0], UNKNOWN_HOST, *hosts[1:])
    assert duplicate.there == [0, MPI.PROC_NULL, *range(1, comm.size - 1)]
    assert duplicate.here == [0, *range(2, comm.size)]
    assert Duplicate(left, comm, ["node0"] * left.size).hosts == ("node0",)
    for _ in range(2):
        with bsbpool.Owner(comm).create_job_pool(quiet=True) as pool:
            jobs = [pool.queue(large, (number,)) for number in range(20)] if pool.is_main() else []
            results = pool.execute(return_results=True)
            assert list(pool._gone) == ([dead] if pool.is_main() else [])
        for number, job in enumerate(jobs):
            assert results[job] == (number, bytes([number]) * 300_000)
            assert job._rank != dead
    comm.Free()
    left.Free()


def answer_late(owner):
    from mpi4py import MPI

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
        world.send(None, answer._rank, tag=77)  # its answer comes to a main that has left
    comm.Free()
    comm = split(world)
    with bsbpool.Owner(comm).create_job_pool(quiet=True) as pool:
        jobs = [pool.queue(lambda owner, i=i: i) for i in range(20)] if pool.is_main() else []
        results = pool.execute(return_results=True)
        assert [results[each] for each in jobs] == [*range(len(jobs))]
    assert private(comm).handle == before
    comm.Free()
