"""What a trace comes to: numbers worked out by hand, or from the recording, not by the summary."""

import json
import time
from collections import defaultdict
from pathlib import Path

import pytest

from bsbpool import Owner
from bsbpool.facts import Raised
from bsbpool.trace import Trace
from bsbpool.trace.summary import summarise
from bsbpool_sim import RankErrors, simulate
from bsbpool_sim.recorded import read_recording
from bsbpool_sim.script import Script

RECORDINGS = Path(__file__).parents[2] / "scenarios" / "recordings"
S = 1_000_000_000


def recorded(name, ranks, fail_fast=None):
    """The rows of a recording, and the summary of its simulation."""
    path = RECORDINGS / f"bsb_reconstruction_{name}.json"
    recording = read_recording(path)
    try:
        trace = simulate(recording.program(fail_fast), ranks, script=recording.script()).trace
    except RankErrors as errors:
        trace = errors.simulation.trace
    return json.loads(path.read_text())["jobs"], summarise(trace)


def work(owner):
    pass


def pooled(fill, ranks, script=None, **options):
    """The summary of one pool that `fill` puts jobs into."""

    def program(comm):
        with Owner(comm).create_job_pool(quiet=True, **options) as pool:
            if pool.is_main():
                fill(pool)
            pool.execute()

    try:
        return summarise(simulate(program, ranks, script=script).trace)
    except RankErrors as errors:
        return summarise(errors.simulation.trace)


def trace(*events):
    trace = Trace({})
    for event in events:
        trace.append(event)
    return trace


POOL = ("pool", 5 * S, 1, 3, False, ["main"])
JOB = ("job", 5 * S, 1, 0, "FunctionJob", "a", {}, [], [])


def status(t, what, rank=None, error=None, job=0):
    return ("status", t * S, 1, job, what, rank, None if error is None else Raised(*error.split(": ")))


# -- of recorded runs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", [1, 2, 4, 50])
def test_strategies_have_the_jobs_and_the_seconds_that_were_recorded(ranks):
    rows, summary = recorded("4_ranks", ranks)
    times = defaultdict(list)
    for row in rows:
        times[row["name"]].append(row["ended"] - row["started"])
    assert [s.name for s in summary.strategies] == list(times)
    for strategy in summary.strategies:
        expected = times[strategy.name]
        assert (strategy.jobs, strategy.succeeded, strategy.ran) == (len(expected),) * 3
        assert strategy.total == pytest.approx(sum(expected), abs=1e-6)
        assert strategy.mean == pytest.approx(sum(expected) / len(expected), abs=1e-6)
        assert strategy.longest == pytest.approx(max(expected), abs=1e-6)
    assert summary.outcome == {"succeeded": 396}


def test_on_one_rank_the_makespan_is_the_sum_of_the_jobs_and_the_rank_is_always_busy():
    rows, summary = recorded("1_rank", 1)
    assert summary.makespan == pytest.approx(sum(r["ended"] - r["started"] for r in rows), abs=1e-6)
    assert summary.busy == pytest.approx(summary.makespan, abs=1e-9)
    assert summary.utilisation == 1.0
    assert [(r.rank, r.jobs) for r in summary.workers] == [(0, 396)]


@pytest.mark.parametrize("ranks", [2, 3, 7, 40, 200])
def test_the_makespan_is_neither_below_the_critical_path_nor_below_the_work_of_a_worker(ranks):
    rows, summary = recorded("4_ranks", ranks)
    total = sum(r["ended"] - r["started"] for r in rows)
    assert summary.makespan >= summary.critical_path - 1e-9
    assert summary.makespan >= total / (ranks - 1) - 1e-6
    assert summary.utilisation == pytest.approx(total / (ranks - 1) / summary.makespan)
    assert sum(rank.jobs for rank in summary.by_rank) == 396
    assert summary.by_rank[0].jobs == 0
    assert all(rank.utilisation == pytest.approx(rank.busy / summary.makespan) for rank in summary.by_rank)


def test_the_critical_path_is_the_longest_chain_of_each_pool():
    rows, summary = recorded("4_ranks", 3)
    ends, longest = {}, defaultdict(float)
    for row in rows:
        took = row["ended"] - row["started"]
        ends[row["id"]] = took + max((ends[dep] for dep in row["deps"]), default=0)
        longest[row["kind"]] = max(longest[row["kind"]], ends[row["id"]])
    assert [p.critical_path for p in summary.pools] == pytest.approx(list(longest.values()), abs=1e-6)
    assert summary.critical_path == pytest.approx(sum(longest.values()), abs=1e-6)
    assert [p.jobs for p in summary.pools] == [180, 216]


def test_with_a_worker_for_each_job_the_makespan_is_the_critical_path():
    _, summary = recorded("1_rank", 300)
    assert summary.makespan == summary.critical_path


def test_the_recorded_failure_is_the_only_one():
    _, summary = recorded("4_ranks_failing", 4)
    (failure,) = summary.failures
    assert str(failure.error) == "ValueError: corrupt morphology in chunk (1, 1, 0)"
    assert (failure.pool, failure.job, failure.context["recorded"]) == (1, 7, 187)
    assert failure.rank in (1, 2, 3)
    assert failure.at == summary.makespan
    assert summary.outcome["failed"] == 1
    assert summary.jobs == sum(summary.outcome.values()) == 396
    assert summary.pools[0].error is None
    assert summary.pools[1].error.type == "WorkflowError"


def test_going_on_after_the_failure_cancels_what_depends_on_it_and_nothing_else():
    rows, summary = recorded("4_ranks_failing", 4, fail_fast=False)
    assert summary.outcome == {
        "succeeded": 359,
        "failed": 1,
        "cancelled": sum(row["status"] == "cancelled" for row in rows),
    }


# -- of runs made for it ---------------------------------------------------------------------------------


def test_a_chain_beside_short_jobs_is_the_critical_path():
    def fill(pool):
        first = pool.queue(work, submitter="first")
        second = pool.queue(work, deps=[first], submitter="second")
        pool.queue(work, deps=[first, second], submitter="third")
        for _ in range(2):
            pool.queue(work, submitter="short")

    script = Script().job("first", takes=1).job("second", takes=2).job("third", takes=4).job("short", takes=0.25)
    summary = pooled(fill, 3, script)
    assert summary.critical_path == 7.0
    assert summary.makespan == 7.0
    assert summary.busy == 7.5
    assert [(r.rank, r.jobs, r.busy) for r in summary.by_rank] == [(0, 0, 0.0), (1, 3, 7.0), (2, 2, 0.5)]
    assert summary.utilisation == 7.5 / 14


def test_a_job_that_was_stopped_keeps_its_rank_busy_and_is_no_sample_of_what_jobs_take():
    def fill(pool):
        pool.queue(work, submitter="long")
        pool.queue(work, submitter="bad")

    script = Script().job("long", takes=9).job("bad", takes=2, raises=ValueError("no"))
    summary = pooled(fill, 3, script, fail_fast=True)
    long, bad = summary.strategies
    assert (long.aborted, long.total, long.mean, bad.failed, bad.total) == (1, 0.0, 0.0, 1, 2.0)
    assert (long.ran, long.cut, long.timed, summary.busy) == (1, 1, 0, 4.0)
    assert summary.makespan == 2.0
    assert [(f.name, f.rank, str(f.error)) for f in summary.failures] == [("bad", 2, "ValueError: no")]


def test_a_job_that_was_lost_with_its_rank_is_a_failure():
    def fill(pool):
        for _ in range(3):
            pool.queue(work, submitter="a")

    summary = pooled(fill, 3, Script().job("a", takes=2).rank(2, dies=1))
    (failure,) = summary.failures
    assert (failure.rank, failure.at, failure.error.type) == (2, 1.0, "RankLostError")
    assert summary.outcome == {"succeeded": 2, "aborted": 1}
    assert (summary.strategies[0].total, summary.strategies[0].cut, summary.busy) == (4.0, 1, 5.0)
    assert summary.complete


def test_a_job_that_is_run_by_hand_runs_on_main():
    def fill(pool):
        job = pool.queue(work, submitter="a")
        job.run()

    summary = pooled(fill, 3, Script().job("a", takes=2))
    assert [(run.rank, run.seconds) for run in summary.runs] == [(0, 2.0)]


# -- of traces as they may come --------------------------------------------------------------------------


def test_a_trace_of_nothing():
    summary = summarise([])
    assert (summary.ranks, summary.makespan, summary.jobs, summary.critical_path) == (1, 0.0, 0, 0)
    assert (summary.utilisation, summary.outcome, summary.failures) == (0.0, {}, ())


def test_a_trace_that_breaks_off_shows_what_still_ran():
    summary = summarise(
        trace(POOL, JOB, (*JOB[:3], 1, *JOB[4:]), status(5, "queued"), status(6, "running", 2), ("ping", 9 * S, 1))
    )
    assert summary.makespan == 4.0
    assert summary.outcome == {"unfinished": 2}
    (run,) = summary.runs
    assert (run.rank, run.started, run.ended, run.status) == (2, 1.0, 4.0, "running")
    assert summary.pools[0].ended is None
    assert (summary.strategies[0].mean, summary.cut, summary.busy, summary.complete) == (0.0, 1, 3.0, False)


@pytest.mark.parametrize(
    ("started", "ended", "shown"),
    [
        (6, 8, (1.0, 3.0)),  # on main's clock
        (106, 108, (3.0, 5.0)),  # on another host's: it ended when main heard of it, at the latest
        (1, 3, (3.0, 5.0)),  # before it was queued
        (8, 6, (5.0, 5.0)),  # backwards
    ],
)
def test_of_a_clock_that_is_off_only_the_length_is_believed(started, ended, shown):
    summary = summarise(
        trace(
            POOL,
            JOB,
            status(6, "queued"),
            status(7, "running", 1),
            ("message", 10 * S, 1, 1, 0, started * S, ended * S),
            status(10, "success", 1),
            ("end", 10 * S, 1, None),
        )
    )
    assert [(run.started, run.ended) for run in summary.runs] == [shown]


def test_pools_with_the_same_id_are_told_apart():
    one = [POOL, JOB, status(5, "queued"), status(5, "running", 1), status(6, "success", 1), ("end", 6 * S, 1, None)]
    summary = summarise(
        trace(*one, *one[:4], status(8, "failed", 1, "E: x"), ("end", 8 * S, 1, Raised("WorkflowError", "")))
    )
    assert [str(p.error) for p in summary.pools] == ["None", "WorkflowError"]
    assert summary.outcome == {"succeeded": 1, "failed": 1}
    assert [run.seconds for run in summary.runs] == [1.0, 3.0]


def test_a_strategy_that_never_ran_has_a_mean_of_zero():
    summary = summarise(trace(POOL, JOB, status(6, "cancelled", None, "JobCancelledError: no")))
    (strategy,) = summary.strategies
    assert (strategy.cancelled, strategy.ran, strategy.mean) == (1, 0, 0.0)
    assert summary.runs == ()


def seconds(owner, takes):
    time.sleep(takes)


def test_a_job_that_was_lost_and_tried_again_has_both_runs():
    summary = pooled(lambda pool: pool.queue(seconds, (4.0,)), 3, Script().rank(1, dies=1.0), retries=1)
    assert [(run.rank, run.started, run.ended, run.status) for run in summary.runs] == [
        (1, 0.0, 1.0, "aborted"),
        (2, 1.0, 5.0, "success"),
    ]
    assert [rank.busy for rank in summary.by_rank] == [0.0, 1.0, 4.0]
    assert (summary.jobs, summary.ran, summary.failures) == (1, 1, ())


def test_a_job_past_its_time_limit_is_a_failure():
    (failure,) = pooled(lambda pool: pool.queue(seconds, (4.0,)), 2, job_timeout=1.0).failures
    assert failure.error.type == "JobTimeoutError"


def test_a_job_whose_end_was_set_by_hand_is_no_step_of_the_critical_path():
    def job(id, *deps):
        return ("job", 5 * S, 1, id, "FunctionJob", "a", {}, [*deps], [])

    def ran(id, start, end):
        return status(start, "running", 1, job=id), status(end, "success", 1, job=id)

    by_hand = ("by_hand", 7 * S, 1, 1, "success", None), status(7, "success", job=1)
    summary = summarise(trace(POOL, job(0), job(1, 0), job(2, 1), *ran(0, 5, 7), *by_hand, *ran(2, 7, 10)))
    (pool,) = summary.pools
    assert (pool.path, pool.critical_path) == ((0, 2), 5.0)


def test_main_has_a_lane_if_only_a_lost_run_was_there():
    """As no pool writes it: the pictures rely on a lane for each run."""
    summary = summarise(trace(POOL, JOB, status(6, "running", 0), status(7, "queued"), status(8, "running", 1)))
    assert {run.rank for run in summary.runs} <= {rank.rank for rank in summary.lanes}
