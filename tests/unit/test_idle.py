"""Why ranks idled, of traces so small that it can be worked out by hand. Random ones are in `tests/property`."""

import pytest

from bsbpool.trace import Trace
from bsbpool.trace.history import History
from bsbpool.trace.idle import Cause, idle_times


def opened(t=0, pool=1, ranks=3):
    return ("pool", t, pool, ranks, False, ["main"])


def queued(t, job, *deps, pool=1):
    return ("job", t, pool, job, "FunctionJob", "a", {}, list(deps), [])


def ready(t, job, pool=1):
    return ("status", t, pool, job, "queued", None, None)


def sent(t, job, rank, pool=1):
    return ("status", t, pool, job, "running", rank, None)


def told(t, job, rank, started, ended, pool=1):
    """Main hears of a success."""
    return [("message", t, pool, rank, job, started, ended), ("status", t, pool, job, "success", rank, None)]


def ended(t, pool=1):
    return ("end", t, pool, None)


def idle(*events):
    trace = Trace({"ranks": 3})
    for event in events:
        for each in event if isinstance(event, list) else [event]:
            trace.append(each)
    return idle_times(History(trace))


def causes(idle):
    """By rank: each cause and its nanoseconds."""
    return {rank.rank: {cause: ns for cause, ns in rank.by_cause.items() if ns} for rank in idle.ranks}


def test_a_rank_waits_for_the_job_that_makes_the_next_one_ready():
    found = idle(
        opened(), queued(0, 0), queued(0, 1), queued(0, 2, 0, 1), ready(0, 0), ready(0, 1), sent(0, 0, 1),
        sent(0, 1, 2),
        told(30, 0, 1, 0, 30), told(100, 1, 2, 0, 100), ready(100, 2), sent(100, 2, 1), told(150, 2, 1, 100, 150),
        ended(160),
    )  # fmt: skip
    assert causes(found) == {1: {Cause.NOT_READY: 70, Cause.TAIL: 10}, 2: {Cause.TAIL: 60}}
    # Rank 1 idles until job 1 has ended on rank 2, rank 2 until job 2 has ended on rank 1; then the pool ends.
    assert found.waits == [(0, 1, 2, 70), (0, 2, 1, 50)]
    assert found.total == 140


def test_while_jobs_are_ready_main_is_what_is_waited_for_and_then_the_message():
    found = idle(
        opened(), *(queued(0, job) for job in range(3)), *(ready(0, job) for job in range(3)),
        sent(10, 0, 1), sent(20, 1, 2), told(60, 0, 1, 15, 50), sent(65, 2, 1), told(80, 1, 2, 28, 70),
        told(90, 2, 1, 70, 85), ended(90),
    )  # fmt: skip
    assert causes(found) == {
        # Until it was sent job 0; its way, and that of its outcome; until it was sent job 2; ways again.
        1: {Cause.MAIN: 10 + 5, Cause.MESSAGE: 5 + 10 + 5 + 5},
        2: {Cause.MAIN: 20, Cause.MESSAGE: 8 + 10, Cause.TAIL: 10},
    }


def test_of_jobs_that_are_ready_at_different_times_the_last_that_is_sent_counts():
    found = idle(
        opened(), *(queued(0, job) for job in range(3)), ready(0, 0), ready(1, 1), ready(5, 2), sent(2, 1, 1),
        sent(6, 2, 1), sent(20, 0, 1), told(30, 0, 1, 20, 30), ended(30),
    )  # fmt: skip
    assert causes(found)[2] == {Cause.MAIN: 20, Cause.TAIL: 10}


def test_a_rank_that_was_sent_its_next_job_ahead_idles_between_two_jobs():
    found = idle(
        opened(ranks=2), queued(0, 0), queued(0, 1), ready(0, 0), ready(0, 1), sent(0, 0, 1), told(40, 0, 1, 0, 20),
        sent(40, 1, 1), told(50, 1, 1, 23, 50), ended(50),
    )  # fmt: skip
    assert causes(found)[1] == {Cause.BETWEEN: 3}


def test_before_the_program_has_queued_a_job_and_before_it_executes_nothing_is_queued():
    found = idle(
        opened(ranks=2), queued(30, 0), ready(40, 0), sent(40, 0, 1), told(60, 0, 1, 40, 60),
        queued(90, 1, 0), ready(90, 1), sent(90, 1, 1), told(95, 1, 1, 90, 95), ended(95),
    )  # fmt: skip
    assert causes(found)[1] == {Cause.NOT_QUEUED: 40 + 30}
    assert found.waits == []


def test_a_rank_that_comes_late_is_not_there_and_one_that_is_lost_is_lost():
    found = idle(
        opened(), queued(0, 0), ("ready", 0, 1, 1), ready(0, 0), sent(0, 0, 1), ("ready", 30, 1, 2),
        ("lost", 80, 1, 2, "Rank 2 died"), told(100, 0, 1, 0, 100), ended(100),
        opened(120, pool=2), ("ready", 130, 2, 1), ended(140, pool=2),
    )  # fmt: skip
    assert causes(found) == {
        1: {Cause.NO_POOL: 20, Cause.ABSENT: 10, Cause.NOT_QUEUED: 10},
        2: {Cause.ABSENT: 30, Cause.TAIL: 50, Cause.LOST: 20 + 20, Cause.NO_POOL: 20},
    }


def test_a_job_that_is_lost_and_tried_again_is_waited_for_while_it_ran():
    found = idle(
        opened(), queued(0, 0), ready(0, 0), sent(0, 0, 1), ("lost", 50, 1, 1, "Rank 1 died"), ready(50, 0),
        sent(50, 0, 2), told(90, 0, 2, 50, 90), ended(90),
    )  # fmt: skip
    assert causes(found)[2] == {Cause.NOT_READY: 50}
    assert found.waits[0] == (0, 0, 1, 50)


def test_of_pools_that_are_open_at_once_that_counts_which_has_jobs():
    found = idle(
        opened(), opened(0, pool=2), queued(0, 0), ready(0, 0), sent(20, 0, 1), told(100, 0, 1, 20, 100), ended(100),
        ended(100, pool=2),
    )  # fmt: skip
    assert causes(found) == {1: {Cause.MAIN: 20}, 2: {Cause.MAIN: 20, Cause.NOT_QUEUED: 80}}


def test_a_pool_is_none_for_ranks_that_are_not_in_it():
    found = idle(opened(ranks=2), ended(10), opened(10, pool=2, ranks=4), ended(30, pool=2))
    assert causes(found)[3] == {Cause.NO_POOL: 10, Cause.NOT_QUEUED: 20}
    assert causes(found)[1] == {Cause.NOT_QUEUED: 30}


def test_on_one_rank_main_is_the_worker():
    found = idle(opened(ranks=1), queued(0, 0), ready(5, 0), sent(8, 0, 0), told(20, 0, 0, 8, 20), ended(20))
    assert causes(found) == {0: {Cause.NOT_QUEUED: 5, Cause.MAIN: 3}}


def test_where_a_trace_stops_the_others_wait_for_what_runs():
    found = idle(
        opened(), queued(0, 0), queued(0, 1, 0), ready(0, 0), sent(0, 0, 1), ("ping", 70, 1),
    )  # fmt: skip
    assert causes(found) == {1: {}, 2: {Cause.NOT_READY: 70}}
    assert found.waits == [(0, 0, 1, 70)]


def test_of_bsb_s_own_pool_it_is_not_told():
    found = idle(opened(), ("announced", 0, 1), queued(0, 0), ended(50))
    assert causes(found) == {1: {Cause.UNTOLD: 50}, 2: {Cause.UNTOLD: 50}}


@pytest.mark.parametrize("events", [[], [opened(7)], [opened(7, ranks=1), ended(7)]])
def test_where_nothing_took_any_time_nobody_idled(events):
    assert idle(*events).total == 0


def test_times_that_make_no_sense_leave_no_gap():
    found = idle(
        opened(50), ended(20), queued(60, 0), ready(70, 0), sent(10, 0, 1), told(5, 0, 1, 90, 95), opened(30, pool=2),
        ("ready", 3, 2, 1), ended(100, pool=2),
    )  # fmt: skip
    for rank in found.ranks:
        assert rank.total <= 50
    assert causes(found)[2] and sum(causes(found)[2].values()) == 50


def test_ranks_of_which_nothing_is_told_are_worked_out_once():
    found = idle(
        *(
            event
            for p in range(3)
            for event in (opened(10 * p, p, 9), ("ready", 10 * p + 3, p, 1), ended(10 * p + 9, p))
        )
    )
    _, *silent = found.ranks
    assert [rank.rank for rank in silent] == [*range(2, 9)]
    assert all(rank.stretches is silent[0].stretches for rank in silent)
    assert silent[0].by_cause == {Cause.ABSENT: 27, Cause.NO_POOL: 2}
    assert found.by_cause == {Cause.NOT_QUEUED: 18, Cause.ABSENT: 9 + 7 * 27, Cause.NO_POOL: 8 * 2}
    assert found.total == 8 * 29


def test_a_job_that_ranks_wait_for_of_which_nothing_is_told_is_waited_for_by_each():
    found = idle(opened(0, 1, 5), queued(0, 0), queued(0, 1, 0), ready(0, 0), sent(0, 0, 1), told(10, 0, 1, 0, 10))
    assert [wait.idle for wait in found.waits] == [3 * 10]
