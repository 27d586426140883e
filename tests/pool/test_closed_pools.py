"""What is left of a pool that is closed: it is freed with the last who refers to it, and its jobs say so."""

import gc
import threading
import warnings
import weakref

import pytest
from helpers import double, fail

import bsbpool
from bsbpool.exceptions import JobPoolError
from bsbpool.pool import JobStatus


class Noted:
    """A listener."""

    def __call__(self, progress):
        return True


@pytest.fixture
def no_collector():
    """Python's garbage collector frees nothing meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _run(comm, *, listeners=(), schedule=False):
    """Run a pool, and return its jobs, and weak references to it and to the jobs."""
    with bsbpool.job_pool(comm, quiet=True) as pool:
        for listener in listeners:
            pool.add_listener(listener)
        jobs = []
        if schedule:
            pool.schedule([2, 3], lambda x: jobs.append(pool.queue(double, (x,))))
        elif pool.is_main():
            first = pool.queue(double, (1,), cache_items=[7])
            jobs = [first, pool.queue(double, (2,), deps=[first]), pool.queue(fail)]
            jobs[0].on_completion(lambda job: None)
        pool.execute()
    return jobs, weakref.ref(pool), [weakref.ref(job) for job in jobs]


@pytest.mark.parametrize("schedule", [False, True], ids=["queued", "scheduled"])
def test_a_closed_pool_is_freed_with_the_last_who_refers_to_it(worlds, no_collector, schedule):
    def program(comm):
        jobs, pool, refs = _run(comm, listeners=[Noted()], schedule=schedule)
        return len(jobs), pool() is None, _gone(jobs, refs) if worlds.parallel else True

    first, *others = worlds(program)
    assert first == (2 if schedule else 3, True, True)
    assert all(each[1] for each in others)


def _gone(jobs, refs):
    jobs.clear()
    return all(each() is None for each in refs)


def test_on_one_rank_it_is_freed_once_the_task_beside_main_has_ended(no_collector):
    before = {*threading.enumerate()}
    jobs, pool, refs = _run(None, listeners=[Noted()], schedule=True)  # the traceback of a job that fails refers to it
    assert (len(jobs), pool()) == (2, None)
    for thread in {*threading.enumerate()} - before:
        thread.join()
    assert _gone(jobs, refs)


def test_jobs_of_a_pool_that_is_gone_are_as_they_were(worlds):
    def program(comm):
        jobs, pool, _ = _run(comm, listeners=[Noted()])
        if not jobs:
            return None
        assert pool() is None
        done, _, failed = jobs
        heard = []
        done.on_completion(heard.append)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            done.cancel()
        refused = []
        for call in (
            lambda: done.result, lambda: failed.result, lambda: setattr(done, "timeout", 5.0), done.run,
            lambda: done.set_result(3), lambda: done.change_status(JobStatus.QUEUED),
        ):  # fmt: skip
            with pytest.raises(JobPoolError) as error:
                call()
            refused.append(str(error.value).split("> ", 1)[-1])
        told = [str(each.message).split("> ", 1)[-1] for each in caught]
        return done.status, failed.error is not None, done.pool_id == failed.pool_id, heard == [done], told, refused

    status, has_error, same_pool, was_heard, told, refused = worlds(program)[0]
    assert (status, has_error, same_pool, was_heard) == (JobStatus.SUCCESS, True, True, True)
    assert len(told) == 1 and "has ended (success)" in told[0]
    assert refused[0].startswith("is not available. It succeeded, but pool ")
    assert refused[0].endswith(" is closed: read results inside of its `with` block.")
    assert refused[1].startswith("is not available. It failed: ")
    assert refused[2].startswith("can't change any more, it is success")
    assert all(each.startswith("is as it is: its pool ") and each.endswith(" is closed.") for each in refused[3:])


def test_a_handle_of_another_rank_outlives_its_pool(worlds):
    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            job = pool.queue(double, (1,))
            pool.execute()
        rank = 0 if pool.is_main() else comm.rank
        del pool
        if rank == 0:
            return None
        job.cancel()
        with pytest.raises(JobPoolError) as error:
            _ = job.result
        return str(error.value).split("> ", 1)[1]

    for rank, said in enumerate(worlds(program)):
        assert said == (f"is not available. Here is rank {rank}; main (rank 0) has it." if rank else None)
