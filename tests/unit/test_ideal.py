"""What an ideal schedule would take: the bound, and a schedule that exists."""

import time

import pytest

import bsbpool
from bsbpool.trace.events import JobQueued, JobStatusChanged, PoolOpened
from bsbpool.trace.history import History
from bsbpool.trace.ideal import Ideal, ideal_schedule
from bsbpool_sim import simulate


def seconds(owner, takes):
    time.sleep(takes)


def ideal(ranks, *pools):
    """For pools, one after the other, of jobs ``(seconds, *places of those that it depends on)``."""

    def program(comm):
        for jobs in pools:
            with bsbpool.job_pool(comm) as pool:
                if pool.is_main():
                    queued = []
                    for takes, *deps in jobs:
                        queued.append(pool.queue(seconds, (takes,), deps=[queued[dep] for dep in deps]))
                pool.execute()

    return ideal_schedule(History(simulate(program, ranks).trace))


def test_jobs_that_fill_the_workers_take_their_work_divided_by_them():
    assert ideal(3, [(1.0,)] * 6) == Ideal(3.0, 3.0)


def test_no_schedule_is_shorter_than_the_critical_path():
    assert ideal(9, [(1.0,), (2.0, 0), (3.0, 1), (0.5,)]) == Ideal(6.0, 6.0)


def test_what_has_the_longest_chain_behind_it_goes_first():
    # First in, first out would start the chain last, and take 5 s.
    assert ideal(3, [(1.0,), (1.0,), (1.0,), (1.0,), (1.0,), (3.0, 4)]) == Ideal(4.0, 4.0)


def test_a_schedule_may_have_to_be_longer_than_the_bound():
    assert ideal(3, [(1.0,)] * 3) == Ideal(1.5, 2.0)


def test_pools_one_after_the_other_add_up():
    assert ideal(3, [(1.0,)] * 2, [(2.0,), (1.0,)]) == Ideal(1.0 + 2.0, 1.0 + 2.0)


def test_one_rank_is_its_own_worker():
    assert ideal(1, [(1.0,), (2.0,)]).packed == pytest.approx(3.0)


def test_an_empty_trace_takes_nothing():
    assert ideal_schedule(History([])) == Ideal(0.0, 0.0)


def test_pools_side_by_side_share_the_workers():
    def pool(id):
        opened = PoolOpened("pool", 0, id, 3, False, ["main"])
        job = JobQueued("job", 0, id, 0, "F", "a", {}, [], [])
        status = JobStatusChanged("status", 0, id, 0, "running", id, None)
        end = status._replace(t=2_000_000_000, status="success")
        return opened, job, status, end

    one, other = pool(1), pool(2)
    side_by_side = [event for pair in zip(one, other, strict=True) for event in pair]
    assert ideal_schedule(History(side_by_side)) == Ideal(2.0, 2.0)
