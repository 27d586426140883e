"""What code that a pool runs can't do, since ranks of that pool would have to take part: it is refused by name."""

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import double, nothing

import bsbpool
from bsbpool.pool import WorkflowError


def ran(comm, function, fill=None):
    """What a job that calls `function(owner)` came to on main: its result, or the text of its error."""
    owner = bsbpool.Owner(comm)
    owner.comm = comm  # type: ignore[attr-defined]
    with owner.create_job_pool(quiet=True) as pool:
        owner.pool = pool  # type: ignore[attr-defined]
        job = pool.queue(function, submitter="outer")
        with contextlib.suppress(WorkflowError):
            pool.execute()
        if pool.is_main():
            return f"{type(job.error).__name__}: {job.error}" if job.error is not None else job.result
    return None


def inner_pool(owner):
    """The values of a pool on the communicator of the owner's own."""
    with owner.create_job_pool(quiet=True) as pool:
        if pool.is_main():
            for x in range(3):
                pool.queue(double, (x,))
        return list(pool.execute(return_results=True).values())


def test_a_pool_within_a_job_is_refused_where_the_other_ranks_would_have_to_take_part(worlds):
    said = worlds(lambda comm: ran(comm, inner_pool))[0]
    if worlds.ranks == 1:
        assert said == [0, 2, 4]
        return
    assert re.match(r"JobPoolError: Can.t open pool 2 from within a job of pool 1 on rank \d: all ranks of its", said)
    assert "main waits for the job's end" in said and "bsbpool.Owner(MPI.COMM_SELF)" in said


def in_a_thread(function):
    """What it returns in a thread of its own, or raises there."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(function).result()


@pytest.mark.ranks(2)
@pytest.mark.parametrize("function", [inner_pool, lambda owner: owner._comm.barrier()], ids=["a pool", "barrier"])
def test_in_a_thread_that_a_job_starts_it_is_refused_too(worlds, function):
    def program(comm):
        _FUNCTIONS[0] = lambda owner: in_a_thread(lambda: function(owner))
        return ran(comm, call_function)

    assert "from within a job of pool 1 on rank 1: all ranks" in worlds(program)[0]


@pytest.mark.ranks(2)
def test_a_duplicate_of_the_communicator_is_no_way_out(worlds):
    def program(comm):
        other = comm.Dup()

        def function(owner):
            return inner_pool(bsbpool.Owner(other))

        _FUNCTIONS[0] = function
        return ran(comm, call_function)

    assert "from within a job of pool 1 on rank 1" in worlds(program)[0]


_FUNCTIONS: list = [None]


def call_function(owner):
    return _FUNCTIONS[0](owner)


def inner_pool_of_this_rank(owner):
    from mpi4py import MPI

    return inner_pool(bsbpool.Owner(MPI.COMM_SELF))


@pytest.mark.ranks(2, 4)
def test_a_pool_of_the_jobs_own_rank_works(worlds):
    assert worlds(lambda comm: ran(comm, inner_pool_of_this_rank))[0] == [0, 2, 4]


def own_pool_of_workers(owner):
    return inner_pool(bsbpool.Owner(owner.workers))


@pytest.mark.ranks(3)
def test_a_pool_of_workers_that_all_run_a_job_works(worlds):
    def program(comm):
        owner = bsbpool.Owner(comm)
        owner.workers = comm.Split(comm.rank > 0, comm.rank)  # type: ignore[attr-defined]
        with owner.create_job_pool(quiet=True) as pool:
            jobs = [pool.queue(own_pool_of_workers) for _ in range(2)]
            pool.execute()
            return [job.result for job in jobs] if pool.is_main() else None

    assert sorted(worlds(program)[0]) == [[], [0, 2, 4]]


CALLS = {
    "barrier()": lambda owner: owner._comm.barrier(),
    "bcast()": lambda owner: owner._comm.bcast(1),
    "gather()": lambda owner: owner._comm.gather(1),
    "allgather()": lambda owner: owner._comm.allgather(1),
    "window()": lambda owner: owner._comm.window(bytearray(8)),
    "try_all()": lambda owner: owner._comm.try_all().__enter__(),
    "try_main()": lambda owner: owner._comm.try_main().__enter__(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.ranks(2)
def test_collective_calls_of_the_mpi_service_are_refused_in_a_job(worlds, call):
    def program(comm):
        _FUNCTIONS[0] = CALLS[call]
        return ran(comm, call_function)

    said = worlds(program)[0]
    assert said.startswith(f"JobPoolError: Can't call {call} from within a job of pool 1 on rank 1")


def to_its_pool(what):
    return {
        "queue": lambda owner: owner.pool.queue(nothing),
        "schedule": lambda owner: owner.pool.schedule([1]),
        "add_listener": lambda owner: owner.pool.add_listener(print),
        "cancel": lambda owner: owner.pool.jobs[0].cancel(),
        "on_completion": lambda owner: owner.pool.jobs[0].on_completion(print),
        "execute": lambda owner: owner.pool.execute(),
        "result": lambda owner: owner.pool.jobs[0].result,
        "run": lambda owner: owner.pool.jobs[0].run(),
    }[what]


@pytest.mark.parametrize(
    "what", ["queue", "schedule", "add_listener", "cancel", "on_completion", "execute", "result", "run"]
)
@pytest.mark.ranks(2)
def test_what_a_job_asks_of_its_pool_on_a_worker_fails_and_is_not_lost(worlds, what):
    def program(comm):
        _FUNCTIONS[0] = to_its_pool(what)
        return ran(comm, call_function)

    assert worlds(program)[0].startswith("JobPoolError: ")


@pytest.mark.ranks(1, 2)
def test_a_pool_within_a_listener_is_refused_where_workers_would_have_to_take_part(worlds):
    def program(comm):
        owner = bsbpool.Owner(comm)
        said = []

        def listener(progress):
            if not said and progress.jobs:
                said.append("")
                try:
                    said[0] = inner_pool(owner)
                except bsbpool.pool.JobPoolError as error:
                    said[0] = str(error)

        with owner.create_job_pool(quiet=True) as pool:
            pool.add_listener(listener)
            pool.queue(nothing)
            pool.execute()
        return said and said[0]

    said = worlds(program)[0]
    if worlds.ranks == 1:
        assert said == [0, 2, 4]
    else:
        assert "from within a listener, callback or scheduler of pool 1" in said


@pytest.mark.ranks(1, 2)
def test_after_a_pool_all_works_again(worlds):
    def program(comm):
        ran(comm, nothing)
        owner = bsbpool.Owner(comm)
        assert owner._comm.allgather(1) == [1] * owner._comm.get_size()
        return inner_pool(owner)

    assert worlds(program)[0] == [0, 2, 4]
