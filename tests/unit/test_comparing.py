"""Comparing traces: the first event in which they part, whatever the times, and what took longer."""

import time

import pytest

import bsbpool
from bsbpool.trace.comparing import first_difference, strategy_changes
from bsbpool.trace.summary import summarise
from bsbpool_sim import Script, simulate


def event(kind, t=0, **fields):
    return {"t": t, "e": kind, **fields}


PINGS = [event("ping", t, pool=1) for t in range(10)]


def test_equal_traces_have_no_difference():
    assert first_difference(PINGS, list(PINGS)) is None
    assert first_difference([], []) is None


def test_times_differ_between_any_two_real_runs_and_count_only_when_asked():
    message = {"pool": 1, "rank": 1, "job": 0}
    a = [event("message", 9, **message, started=1, ended=5)]
    b = [event("message", 7, **message, started=2, ended=5)]
    assert first_difference(a, b) is None
    assert first_difference(a, b, times=True).fields == ("t", "started")


def test_memory_differs_between_any_two_real_runs_and_counts_only_when_asked():
    grew = event("memory", 3, pool=1, rank=1, job=0, peak=1000)
    for other in ([grew | {"peak": 1004}], []):  # or it did not grow at all
        assert first_difference([grew, *PINGS], [*other, *PINGS]) is None
        assert first_difference([grew, *PINGS], [*other, *PINGS], times=True) is not None
        assert first_difference([grew, *PINGS], [*other, *PINGS], kinds={"memory"}) is not None


def test_it_tells_both_events_with_their_numbers_and_what_is_around_them():
    left = [*PINGS[:5], event("lost", 5, pool=1, rank=2, error="gone"), *PINGS[6:]]
    right = [*PINGS[:5], event("lost", 6, pool=1, rank=3, error="gone")]
    found = first_difference(left, right, context=2)
    assert found.numbers == (6, 6)
    assert (found.left, found.right) == (left[5], right[5])
    assert found.fields == ("rank",)
    assert found.before == tuple(PINGS[3:5])
    assert found.after_left == tuple(PINGS[6:8])
    assert found.after_right == ()


def test_a_trace_that_ends_first_differs_where_it_ends():
    found = first_difference(PINGS[:4], PINGS)
    assert (found.left, found.right, found.fields) == (None, PINGS[4], ())
    assert found.numbers == (5, 5)
    mirrored = first_difference(PINGS, PINGS[:4])
    assert (mirrored.left, mirrored.right) == (PINGS[4], None)


def test_only_the_kinds_asked_for_are_compared_and_numbers_count_all():
    left = [PINGS[0], event("fault", rank=1, what="died"), PINGS[1], event("fault", rank=2, what="died")]
    right = [event("fault", rank=1, what="died"), PINGS[0], event("fault", rank=3, what="died"), PINGS[1]]
    found = first_difference(left, right, kinds={"fault"})
    assert found.numbers == (4, 3)
    assert found.before == (left[1],)
    assert found.after_right == ()
    assert first_difference(left, right, kinds={"ping"}) is None


def test_lists_and_tuples_of_the_same_numbers_are_equal():
    left, right = (
        event("freed", pool=1, rank=1, job=0, items=[1, 2]),
        event("freed", pool=1, rank=1, job=0, items=(1, 2)),
    )
    assert first_difference([left], [right]) is None


def test_fields_can_be_left_out():
    left, right = [event("lost", pool=1, rank=1, error="a")], [event("lost", pool=1, rank=1, error="b")]
    assert first_difference(left, right).fields == ("error",)
    assert first_difference(left, right, ignoring={"error"}) is None


def test_a_field_that_only_one_has_is_a_difference():
    assert first_difference([event("ping", pool=1)], [event("ping", pool=1, note=None)]).fields == ("note",)


def test_pools_are_known_by_their_order():
    left = [event("ping", pool=7), event("ping", pool=3), event("ping", pool=7)]
    right = [event("ping", pool="a"), event("ping", pool="b"), event("ping", pool="a")]
    assert first_difference(left, right) is None
    assert first_difference(left, [*right[:2], event("ping", pool="b")]).fields == ("pool",)


def seconds(owner, takes):
    time.sleep(takes)


def run(takes, script=None):
    """The trace of two strategies whose jobs take this long."""

    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                for name, each in takes.items():
                    for _ in range(3):
                        pool.queue(seconds, (each,), submitter=name)
            pool.execute()

    return simulate(program, ranks=3, script=script or Script()).trace


def test_real_traces_part_where_results_arrive_in_another_order():
    same = first_difference(run({"a": 1.0}), run({"a": 2.0}))
    assert same is None
    slow = run({"a": 1.0, "b": 0.1}, Script().rank(1, slower=3.0))
    found = first_difference(run({"a": 1.0, "b": 0.1}), slow, kinds={"job", "status", "message"})
    assert found.left["e"] == found.right["e"] == "message"
    assert found.fields == ("rank", "job")
    assert [found.left["rank"], found.right["rank"]] == [1, 2]


def test_strategies_are_compared_largest_change_first():
    left = summarise(run({"a": 1.0, "b": 1.0, "gone": 0.75}))
    right = summarise(run({"a": 1.5, "b": 0.75, "new": 4.0}))
    changes = strategy_changes(left, right)
    assert [change.name for change in changes] == ["new", "gone", "a", "b"]
    a, b = changes[2:]
    assert a.seconds == pytest.approx(1.5)
    assert a.factor == pytest.approx(1.5)
    assert b.seconds == pytest.approx(-0.75)
    new, gone = changes[:2]
    assert (new.left.jobs, new.right.jobs, new.factor) == (0, 3, None)
    assert (gone.right.jobs, gone.factor) == (0, None)
