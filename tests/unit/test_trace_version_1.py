"""Traces of version 1: their sentences become facts, and they replay as they did when they were recorded."""

from pathlib import Path

import pytest

from bsbpool.facts import (
    FAULTS,
    Cancelled,
    Delayed,
    DependencyFailed,
    Error,
    JobFailed,
    Killed,
    LeftRank,
    LostRank,
    NobodyLeft,
    NotScheduled,
    Other,
    Overdue,
    Paused,
    Raised,
    SchedulerFailed,
    Slowed,
    Stopped,
    WorkflowFailed,
)
from bsbpool.trace import EVENTS, VERSION, read_trace
from bsbpool.trace.version_1 import Upgrade
from bsbpool_sim.replay import Change, ReplayError, replay, what_if
from bsbpool_sim.replay.export import to_scenario

FOLDER = Path(__file__).parent / "recorded_by_0_1"
NIGHT = Path(__file__).parents[2] / "docs" / "night" / "night.trace"
PATHS = sorted(FOLDER.glob("*.trace"))
SEEN = [*Path(__file__).parents[1].glob("property/traces/*_format_1.trace")]
OF_BSB = "program__of-bsb"

#: Types of exceptions of which the library itself says more than a message.
OURS = {"JobTimeoutError", "RankLostError", "JobSchedulingError", "JobErroredError", "JobCancelledError",
        "JobAbortedError", "WorkflowError"}  # fmt: skip


@pytest.mark.parametrize("path", [path for path in [*PATHS, *SEEN, NIGHT] if path.stem != OF_BSB], ids=lambda p: p.stem)
def test_it_replays_as_before(path):
    trace = read_trace(path)
    assert trace.header["version"] == VERSION
    result = replay(trace)
    assert result.same and result.complete, (result.why, result.difference)


def test_that_of_bsbs_own_pool_is_still_refused():
    with pytest.raises(ReplayError, match="is BSB's own"):
        replay(read_trace(FOLDER / f"{OF_BSB}.trace"))


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_no_sentence_of_the_library_is_left(path):
    for event in read_trace(path).events:
        error = getattr(event, "error", None)
        if isinstance(error, Raised) and path.stem != OF_BSB:
            assert error.type not in OURS, event
        if event.e == "fault":
            assert not isinstance(event.what, Other), event


def test_each_kind_of_error_and_fault_is_among_them():
    events = [event for path in PATHS for event in read_trace(path).events]
    errors = {type(getattr(event, "error", None)) for event in events} - {type(None)}
    assert errors == {*Error.__args__}
    assert {type(event.what) for event in events if event.e == "fault"} == {*FAULTS.values()} - {Other}


def test_each_kind_of_event_is_among_them():
    assert {event.e for path in PATHS for event in read_trace(path).events} == {*EVENTS}


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_what_is_written_of_it_is_of_today(path, tmp_path):
    trace = read_trace(path)
    trace.write(tmp_path / "again.trace")
    again = read_trace(tmp_path / "again.trace")
    assert again.events == trace.events and again.digest() == trace.digest()


def test_what_would_have_happened_and_a_scenario_of_it():
    trace = read_trace(FOLDER / "lost-ranks__retries-come-to-an-end.trace")
    assert [event.error.kind for event in what_if(trace, Change()).trace.events if event.e == "lost"]
    assert "kills: true" in to_scenario(trace)


# -- sentences ---------------------------------------------------------------------------------------

LATE = "JobTimeoutError: It ran for longer than its limit of 0.5 s on rank 1 on a host, and "
LOST = ("lost", 0, 1, 1, "Rank 1 on a host died at 2.5 s")


def upgraded(*events):
    """The last of these events of a pool of version 1."""
    upgrade = Upgrade(4)
    upgrade(("pool", 0, 1, 4, False, []))
    upgrade(("job", 0, 1, 0, "FunctionJob", "a", {}, (), ()))
    return [upgrade(event) for event in events][-1]


@pytest.mark.parametrize(
    ("status", "sentence", "facts"),
    [
        ("aborted", LATE + "was interrupted", Overdue(5 * 10**8, 1, "a host", "interrupted", "")),
        ("aborted", LATE + "was interrupted in f, line 3 of x.py",
         Overdue(5 * 10**8, 1, "a host", "interrupted", "f, line 3 of x.py")),
        ("aborted", LATE + "was in f, and can't be interrupted: rank 1 gets no more jobs until it has ended",
         Overdue(5 * 10**8, 1, "a host", "running", "f")),
        ("aborted", LATE + "was in ffff…", Overdue(5 * 10**8, 1, "a host", "running", "ffff…")),
        ("aborted", LATE + "was in ffff, and can't be inter…", Overdue(5 * 10**8, 1, "a host", "running", "ffff…")),
        ("aborted", LATE + "its rank does not answer, and can't …", Overdue(5 * 10**8, 1, "a host", "silent", "")),
        ("aborted", LATE.replace("rank 1", "rank 7") + "was interrupted",
         Raised("JobTimeoutError", LATE.partition(": ")[2].replace("rank 1", "rank 7") + "was interrupted")),
        ("failed", LATE + "was interrupted", Raised("JobTimeoutError", LATE.partition(": ")[2] + "was interrupted")),
        ("cancelled", "JobCancelledError: Job was cancelled", Cancelled(None)),
        ("cancelled", "JobCancelledError: no more", Cancelled("no more")),
        ("cancelled", "JobCancelledError", Cancelled("")),
        ("cancelled", "JobCancelledError: Job killed for dependency failure", DependencyFailed()),
        ("cancelled", "JobCancelledError: The pool stopped.", Stopped(False, "closed")),
        ("aborted", "JobAbortedError: The pool stopped at the first error, before this job had ended.",
         Stopped(True, "failure")),
        ("aborted", "JobAbortedError: The pool stopped: KeyError: 'a'",
         Stopped(True, "raised", Raised("KeyError", "'a'"))),
        ("aborted", "no type at all", Raised("", "no type at all")),
        ("failed", "ValueError: a: b", Raised("ValueError", "a: b")),
    ],
)  # fmt: skip
def test_the_error_of_a_job(status, sentence, facts):
    assert upgraded(("status", 1, 1, 0, status, 1, sentence)) == ("status", 1, 1, 0, status, 1, facts)


def test_a_job_that_is_lost_with_its_rank():
    first, again = ("status", 0, 1, 0, "running", 1, None), ("status", 0, 1, 0, "queued", None, None)
    last = ("status", 0, 1, 0, "aborted", 1, "RankLostError: Rank 1 on a host died at 2.5 s, and with it this job …")
    assert upgraded(LOST)[-1] == LostRank(1, "a host", 2_500_000_000)
    assert upgraded(first, LOST, last)[-1] == LostRank(1, "a host", 2_500_000_000)
    assert upgraded(first, again, first, LOST, last)[-1] == LostRank(1, "a host", 2_500_000_000, 2)
    folded = ("succeeded", 0, 1, ((0, 1, 1, 0, 0, 0),))  # job 0 is running after job 1
    assert upgraded(folded, LOST, again, first, LOST, last)[-1] == LostRank(1, "a host", 2_500_000_000, 2)
    unhandled = ("unhandled", 0, 1, 0, "JobErroredError: <FunctionJob 0 a (x=1)> was aborted: Rank 1…")
    assert upgraded(first, LOST, last, unhandled)[-1] == JobFailed(
        0, "FunctionJob", "a (x=1)", LostRank(1, "a host", 2_500_000_000)
    )


@pytest.mark.parametrize(
    ("sentence", "facts"),
    [
        ("Rank 1 on node7 died", LostRank(1, "node7", None)),
        ("Rank 1 left the pool: it left the pool without calling execute()", LeftRank(1, None)),
        ("Rank 1 left the pool: ValueError: no", LeftRank(1, Raised("ValueError", "no"))),
        ("it is gone", Raised("RankLostError", "it is gone")),
    ],
)
def test_a_lost_rank(sentence, facts):
    assert upgraded(("lost", 0, 1, 1, sentence))[-1] == facts


def test_nodes_that_were_not_scheduled():
    name = "n" * 190
    failed = ("scheduled", 0, 1, name, "ValueError: no", 0)
    cut = f"JobSchedulingError: {name} was not scheduled: ValueError: no"[:199] + "…"
    assert upgraded(failed, ("unhandled", 0, 1, None, cut))[-1] == SchedulerFailed(name, Raised("ValueError", "no"))
    depends = "JobSchedulingError: b was not scheduled: it depends on a"
    assert upgraded(("unhandled", 0, 1, None, depends + ", which was not scheduled"))[-1] == NotScheduled("b", "a")
    assert upgraded(("unhandled", 0, 1, None, depends + "aa…"))[-1] == NotScheduled("b", "aaa…")


def test_a_pool_that_has_nobody_left():
    stuck = (
        "JobPoolError: No rank is left to run jobs, and 2 jobs have not run: ranks 2, 3 are stuck in jobs that can't…"
    )
    events = LOST, ("stuck", 0, 1, 3, 0), ("stuck", 0, 1, 2, 0)
    assert upgraded(*events, ("unhandled", 0, 1, None, stuck))[-1] == NobodyLeft(2, 1, (3, 2))  # as they got stuck
    whole = stuck.replace("can't…", "can't be interrupted, the others are gone.")
    assert upgraded(*events, ("unhandled", 0, 1, None, whole))[-1] == NobodyLeft(2, 1, (2, 3))
    gone = "JobPoolError: No rank is left to run jobs, and 1 job has not run: rank 1 is gone."
    assert upgraded(LOST, ("unhandled", 0, 1, None, gone))[-1] == NobodyLeft(1, 1, ())


def test_how_a_pool_ends():
    unhandled = ("unhandled", 0, 1, 0, "JobErroredError: <FunctionJob 0 a> failed")
    end = upgraded(unhandled, ("end", 0, 1, "WorkflowError: JobErroredError: <FunctionJob 0 a> failed"))[-1]
    assert end == WorkflowFailed(1, (JobFailed(0, "FunctionJob", "a", None),))
    assert upgraded(unhandled, ("end", 0, 1, "WorkflowError: another"))[-1] == Raised("WorkflowError", "another")
    assert upgraded(("end", 0, 1, None))[-1] is None


@pytest.mark.parametrize(
    ("sentence", "facts"),
    [
        ("killed by job lost one", Killed("lost one")),
        ("paused for 2.5 s", Paused(2_500_000_000)),
        ("slower by a factor of 1e+06", Slowed(1e6)),
        ("its messages to rank 2 take 3 s longer", Delayed(2, 3_000_000_000)),
        ("slower by a factor of e", Other("slower by a factor of e")),
        ("struck by lightning", Other("struck by lightning")),
    ],
)
def test_a_fault(sentence, facts):
    assert upgraded(("fault", 0, 1, sentence))[-1] == facts
