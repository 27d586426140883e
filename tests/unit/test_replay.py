"""Replays of simulated runs: exact ones, and what would have happened otherwise; the `replay` command.

That whatever happens is replayed is shown in tests/property/test_replays.py, and for real ranks in
tests/mpi/test_fidelity.py.
"""

import contextlib
import json
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import bsbpool
from bsbpool.cli import main
from bsbpool.errors_and_facts import in_words
from bsbpool.exceptions import JobErroredError, WorkflowError
from bsbpool.facts import JobFailed
from bsbpool.trace import Trace, TraceRecorder, read_trace
from bsbpool.trace.summary import summarise
from bsbpool_sim import Script, simulate
from bsbpool_sim.mpi.communicators import self_comm
from bsbpool_sim.replay import Change, ReplayError, replay, what_if
from bsbpool_sim.replay.export import to_scenario
from bsbpool_sim.replay.whatif import Costs, costs_of


class CorruptMorphology(Exception):
    pass


def place(owner, chunk):
    time.sleep(1)
    if chunk == 3:
        raise CorruptMorphology("of a golgi cell")


def program(comm):
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            first = [pool.queue(place, (i,), submitter="place", chunk=(0, i)) for i in range(5)]
            pool.queue(place, (9,), deps=first[:2], submitter="connect")
        pool.execute()


def recorded(program=program, ranks=3, **options):
    def quietly(comm):
        with contextlib.suppress(WorkflowError):
            program(comm)

    return simulate(quietly, ranks, **options).trace


def told(events):
    """How many events are of main: those of which a replay is held against the trace."""
    return sum(event[0] not in ("fault", "receive", "traceback") for event in events)


def edited(trace, edit):
    """The same trace with other events."""
    copy = Trace(trace.header)
    for event in trace.events:
        for each in edit(event):
            copy.append(each)
    return copy


# -- exactly -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_same_happens_again_with_the_same_exception(ranks):
    trace = recorded(ranks=ranks)
    result = replay(trace)
    assert (result.same, result.complete, result.events) == (True, True, told(trace.events))
    (error,) = result.errors
    assert isinstance(error, WorkflowError)
    (inner,) = error.exceptions
    assert isinstance(inner, JobErroredError)
    assert str(inner) == "<FunctionJob 3 place (chunk=(0, 3))> failed"
    assert (type(inner.error).__name__, str(inner.error)) == ("CorruptMorphology", "of a golgi cell")


def test_what_ranks_measured_is_in_the_replay():
    trace = recorded()
    assert replay(trace).trace.of("message") == trace.of("message")


def test_several_pools_one_of_them_on_main_alone():
    def phases(comm):
        owner = bsbpool.Owner(comm)
        for _ in range(2):
            with owner.create_job_pool(quiet=True) as pool:
                if pool.is_main():
                    pool.queue(place, (0,), submitter="place")
                pool.execute()
        if comm.rank == 0:
            with bsbpool.job_pool(self_comm(comm.cluster, 0), quiet=True) as pool:
                pool.queue(place, (0,), submitter="alone")
                pool.execute()

    result = replay(recorded(phases))
    assert (result.same, result.errors) == (True, [None, None, None])


@pytest.mark.parametrize("joins", ["before it opens", "within", "after a scheduler"])
@pytest.mark.parametrize("nodes", [[0], [1], [0, 0], [1, 2], [2, 0, 1]])
def test_a_pool_of_one_process_whose_schedulers_come_first(tmp_path, nodes, joins):
    """The rank may be ready before the first scheduler is called, or after; and the recorder may come late."""
    recorder = TraceRecorder(tmp_path / "run.trace")
    pool = bsbpool.JobPool(1, bsbpool.Owner(), retries=1)
    if joins == "before it opens":
        pool.add_listener(recorder)
    with pool:
        if joins == "within":
            pool.add_listener(recorder)
        for count in nodes:
            pool.schedule(range(count), lambda node: pool.queue(len, submitter=f"node {node}"))
        if joins == "after a scheduler":
            pool.add_listener(recorder)
        with contextlib.suppress(WorkflowError):
            pool.execute()
    recorder.close()
    trace = read_trace(tmp_path / "run.trace")
    assert [event["nodes"] for event in trace.of("schedule")] == nodes
    assert len(trace.of("in_turn")) == len(trace.of("retries")) == 1
    result = replay(trace)
    assert (result.same, result.complete, result.events) == (True, True, len(trace)), result.difference


def test_jobs_that_are_run_and_ended_by_hand():
    def by_hand(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                for n in range(3):
                    job = pool.queue(place, (n,), submitter="place")
                    if n == 2:
                        job.change_status(bsbpool.pool.JobStatus.CANCELLED)
                    else:
                        job.run()
            pool.execute()

    trace = recorded(by_hand)
    assert {e["status"] for e in trace.of("by_hand")} == {"running", "success", "cancelled"}
    result = replay(trace)
    assert result.same, result.difference


def test_jobs_past_their_limits_and_jobs_that_run_again():
    def limited(comm):
        owner = bsbpool.Owner(comm)
        with owner.create_job_pool(quiet=True, retries=1, job_timeout=5) as pool:
            if pool.is_main():
                for n in range(6):
                    pool.queue(place, (n,), submitter="place", timeout=0.5 if n == 1 else None if n == 2 else 3)
                pool.queue(place, (7,), submitter="last").timeout = 2
            pool.execute()

    trace = recorded(limited, 4, script=Script().rank(3, dies=0.7))
    assert {"retries", "limit", "lost"} <= {e["e"] for e in trace}
    assert ["longer than its limit" in str(event.error) for event in trace.events if event.e == "end"] == [True]
    assert [e["status"] for e in trace.of("status") if e["job"] == 2].count("queued") == 2
    result = replay(trace)
    assert result.same, result.difference
    assert summarise(what_if(trace, Change()).trace).outcome == summarise(trace).outcome


def test_a_name_that_there_is_means_these_jobs_and_is_no_pattern():
    def oddly_named(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            for name in ("[markup]", "m", "*", "a"):
                pool.queue(place, (1,), submitter=name)
            pool.execute()

    trace = recorded(oddly_named, 1)

    def failing(name):
        return summarise(what_if(trace, Change(fail=(name,))).trace).outcome.get("failed", 0)

    assert [failing(name) for name in ("[markup]", "*", "?", "[am]")] == [1, 1, 3, 2]
    scripted = recorded(oddly_named, 1, script=Script().job("[markup]", raises=ValueError("no")))
    assert "[markup]" in {failure.name for failure in summarise(scripted).failures}


def test_one_rank_whose_job_ends_some_time_after_its_limit():
    def tidy(owner):
        try:
            time.sleep(9)
        finally:
            time.sleep(0.003)  # as every real job ends a little later than its limit

    def limited(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            pool.add_listener(lambda progress: None, max_wait=0.05)
            pool.queue(tidy, timeout=0.12)
            pool.queue(place, (1,))
            pool.execute()

    trace = recorded(limited, 1)
    assert trace.of("ping") and "aborted" in {e["status"] for e in trace.of("status")}
    result = replay(trace)
    assert result.same, (result.why, result.difference)


def test_nodes_with_names_so_long_that_the_trace_cuts_them():
    class Node:
        def __init__(self, name, *depends_on):
            self.name, self.depends_on = name, depends_on

        def get_node_name(self):
            return self.name

        def queue(self, pool):
            raise RuntimeError("of a node")

    def long_names(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                for length in (60, 75, 90, 140):
                    first = Node(("first " * (length // 6)).strip())
                    pool.schedule([first, Node(("second " * (length // 7)).strip(), first)])
            pool.execute()

    trace = recorded(long_names, 2)
    assert [event.error.node[-5:] for event in trace.events if event.e == "unhandled"] == ["first", "econd"] * 4
    assert replay(trace).same


@pytest.mark.parametrize("length", [10, 50, 58, 66, 74, 160])
def test_places_with_names_so_long_that_the_trace_cuts_them(length):
    def deaf(owner):
        with contextlib.suppress(BaseException):
            time.sleep(5)
        time.sleep(5)

    deaf.__code__ = deaf.__code__.replace(co_name="d" * length)

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.queue(deaf, submitter="place", timeout=1)
            pool.execute()

    trace = recorded(program)
    (event,) = [event for event in trace.events if event.e == "status" and event.status == "aborted"]
    assert "and was in ddd" in str(event.error) and in_words(event.error).endswith("…")
    result = replay(trace)
    assert result.same, result.difference


def test_a_callback_that_raises_beside_a_job_that_failed():
    def raises(job):
        raise LookupError("of a callback")

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                failing = pool.queue(place, ((each for each in ()),))  # it can't travel
                pool.queue(place, (0,), deps=[failing]).on_completion(raises)
                pool.queue(place, (1,))
            with contextlib.suppress(LookupError):
                pool.execute()

    trace = recorded(program)
    assert [str(event.error) for event in trace.events if event.e == "raised"] == ["LookupError: of a callback"]
    assert replay(trace).same


def test_a_kind_of_job_that_nobody_here_knows():
    trace = edited(recorded(), lambda e: [(*e[:4], "Morphing", *e[5:])] if e[0] == "job" else [e])

    def morphed(error):
        return replace(error, of="Morphing") if isinstance(error, JobFailed) else error

    trace = edited(trace, lambda e: [e._replace(error=morphed(e.error))] if e.e == "unhandled" else [e])
    trace = edited(
        trace,
        lambda e: (
            [e._replace(error=replace(e.error, errors=(*map(morphed, e.error.errors),)))] if e.e == "end" else [e]
        ),
    )
    result = replay(trace)
    assert result.same, result.difference
    assert "Morphing" not in bsbpool.pool.jobs.KINDS


def test_a_trace_that_was_cut_off_is_replayed_up_to_there():
    trace = recorded()
    for length in range(1, len(trace)):
        cut = Trace(trace.header)
        for event in trace.events[:length]:
            cut.append(event)
        result = replay(cut)
        assert (result.same, result.complete, result.events) == (True, False, told(cut.events))


def test_a_message_too_little_is_found():
    trace = edited(recorded(), lambda e: [] if e[0] == "message" and e[4] == 2 else [e])
    result = replay(trace)
    assert not result.same
    assert result.difference.left["e"] == "status"
    assert result.difference.left["job"] == 2
    assert "it waits for ever" in result.why


def test_another_decision_is_found():
    def swap(event):
        return [(*event[:5], 3 - event[5], event[6])] if event[:5] == ("status", 0, 1, 0, "running") else [event]

    result = replay(edited(recorded(), swap))
    assert not result.same
    assert result.difference.fields == ("rank",)
    assert (result.difference.left["rank"], result.difference.right["rank"]) == (2, 1)


def test_what_the_pool_refuses_is_found():
    def early(event):
        return [event, ("by_hand", event[1], event[2], 0, "success", None)] if event[0] == "job" else [event]

    result = replay(edited(recorded(), early))
    assert not result.same
    assert "refuses what was done" in result.why


def alike(number, seconds):
    """A program with so many jobs, each of which takes so many virtual seconds on its simulated rank."""

    def program(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                for _ in range(number):
                    pool.queue(lambda owner: time.sleep(seconds))
            pool.execute()

    return program


def test_what_a_rank_says_in_the_wrong_place_while_it_has_more_jobs_is_found():
    trace = recorded(alike(50, 1e-4), 2)
    changes = [n for n, event in enumerate(trace.events) if event[4:5] == ("success",)]
    for place in changes[:-1]:
        other = Trace(trace.header)
        for n, event in enumerate(trace.events):
            other.append(event)
            if n == place:
                other.append(("memory", event[1], 1, 1, 0, 2**20))
        assert not replay(other).same, place


def test_traces_that_cannot_be_replayed():
    empty = Trace({"ranks": 1, "hosts": []})
    with pytest.raises(ReplayError, match="has no pool"):
        replay(empty)

    def nested(comm):
        with bsbpool.job_pool(comm, quiet=True) as outer, bsbpool.job_pool(comm, quiet=True) as inner:
            inner.execute()
            outer.execute()

    with pytest.raises(ReplayError, match="open at the same time"):
        replay(recorded(nested))

    bsbs = Trace({"ranks": 2, "hosts": []})
    bsbs.append(("pool", 0, 7, 2, False, []))
    bsbs.append(("announced", 0, 7))
    for attempt in (replay, lambda trace: what_if(trace, Change(ranks=4)), to_scenario):
        with pytest.raises(ReplayError, match="pool 7 is BSB's own, which does not announce what its jobs depend on"):
            attempt(bsbs)


# -- what if -----------------------------------------------------------------------------------------


def test_without_a_change_it_takes_as_long():
    trace = recorded()
    outcome = what_if(trace, Change())
    one, other = summarise(trace), summarise(outcome.trace)
    assert (one.makespan, one.outcome) == (other.makespan, other.outcome)


@pytest.mark.parametrize(
    ("change", "makespan", "outcome"),
    [
        (Change(ranks=7), 2.0, {"succeeded": 5, "failed": 1}),
        (Change(ranks=2), 6.0, {"succeeded": 5, "failed": 1}),
        (Change(ranks=1), 6.0, {"succeeded": 5, "failed": 1}),
        (Change(speed={None: 2.0}), 1.5, {"succeeded": 5, "failed": 1}),
        (Change(speed={1: 0.5}), 4.0, {"succeeded": 5, "failed": 1}),
        (Change(kill={1: 0.5}), 4.0, {"succeeded": 3, "failed": 1, "cancelled": 1, "aborted": 1}),
        (Change(fail=(0,)), 3.0, {"succeeded": 3, "failed": 2, "cancelled": 1}),
        (Change(fail=("pl*",)), 3.0, {"failed": 5, "cancelled": 1}),
    ],
)
def test_what_would_have_happened(change, makespan, outcome):
    summary = summarise(what_if(recorded(), change).trace)
    assert (summary.makespan, summary.outcome) == (makespan, outcome)


def test_years_of_virtual_time_take_no_time():
    """A clock that was set wrong, or a trace that wants to be waited for."""

    def waits(e):
        yield (*e[:6], e[5] + 2**62) if e[0] == "message" and e[4] == 0 else e

    trace = edited(recorded(), waits)
    replayed = what_if(trace, Change(ranks=2)).trace
    assert summarise(replayed).makespan > 2**62 / 1e9
    assert len(replayed) < 2 * len(trace)  # nothing goes on step by step meanwhile, such as pings
    with pytest.raises(ReplayError, match="more than 300 years"):
        what_if(trace, Change(speed={None: 1e-3}))


def test_what_came_while_the_pool_executed_comes_then_too():
    class Node:
        def __init__(self, name):
            self.name = name

        def get_node_name(self):
            return self.name

        def queue(self, pool):
            time.sleep(0.5)
            if self.name == "bad":
                raise ValueError("no")
            last = pool.queue(place, (0,), submitter="late")
            pool.queue(place, (0,), submitter="later", deps=[last]).cancel()

    def scheduling(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                pool.schedule([Node("good"), Node("bad")])
                pool.add_listener(lambda progress: getattr(progress, "status", None) is bsbpool.pool.JobStatus.FAILED)
                pool.queue(place, (3,), submitter="handled")
            pool.execute()

    trace = recorded(scheduling)
    outcome = what_if(trace, Change())
    assert summarise(outcome.trace).outcome == summarise(trace).outcome
    assert summarise(outcome.trace).makespan == summarise(trace).makespan == 1.5
    assert [str(e) for e in outcome.errors[0].exceptions] == ["bad was not scheduled: ValueError: no"]  # type: ignore[attr-defined]


def test_a_pool_that_fails_where_it_had_not_ends_the_run():
    def two(comm):
        owner = bsbpool.Owner(comm)
        for _ in range(2):
            with owner.create_job_pool(quiet=True) as pool:
                if pool.is_main():
                    pool.queue(place, (0,), submitter="place")
                pool.execute()

    assert [error is None for error in what_if(recorded(two), Change()).errors] == [True, True]
    assert [error is None for error in what_if(recorded(two), Change(fail=(0,))).errors] == [False]


def test_latency_is_what_passes_between_the_jobs_of_a_rank():
    trace = recorded(latency=0.25)
    assert costs_of(trace) == Costs(0.25, 0)
    assert summarise(what_if(trace, Change()).trace).makespan == summarise(trace).makespan
    assert costs_of(recorded()) == Costs(0.0, 0)


def test_overhead_is_what_passes_on_a_rank_that_has_its_next_job_already():
    def slow(event):
        """A rank that takes 50 µs from the end of a job to the start of the next."""
        if event[0] != "message" or not event[4]:
            return [event]
        late = 50_000 * event[4]
        return [(event[0], event[1] + late, *event[2:5], event[5] + late, event[6] + late)]

    quick = recorded(alike(40, 1e-3), 2, latency=0.0001)
    trace = edited(quick, slow)
    assert costs_of(trace).overhead == pytest.approx(50_000, rel=0.1)
    # Two ranks share the overhead, as they share the jobs.
    with_it, without = (summarise(what_if(t, Change(ranks=3)).trace).makespan for t in (trace, quick))
    assert with_it - without == pytest.approx(20 * 50e-6, rel=0.2)

    def paused(event):
        """The same, and once ten seconds before it tells of job 19."""
        if event[0] != "message":
            return slow(event)
        (event,) = slow(event)
        ran, came = (10**10 * (event[4] >= first) for first in (20, 19))
        return [(event[0], event[1] + came, *event[2:5], event[5] + ran, event[6] + ran)]

    assert costs_of(edited(quick, paused)).overhead == costs_of(trace).overhead

    # It is no part of what makes ranks ready late: a prediction of a prediction says the same.
    once = what_if(trace, Change()).trace
    assert what_if(once, Change()).trace.of("ready") == once.of("ready")


# -- the command -------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded().write("run.trace")

    def replayed(*args):
        return CliRunner().invoke(main, ["replay", "run.trace", *args])

    return replayed


def test_it_says_that_it_is_the_same_and_shows_the_failure(run):
    result = run()
    assert result.exit_code == 0
    assert "✓ The same happened again: 39 events of main" in result.output
    assert "CorruptMorphology: of a golgi cell" in result.output
    assert "JobErroredError: <FunctionJob 3 place (chunk=(0, 3))> failed" in result.output
    assert "recorded_stubs" not in result.output


def test_it_says_where_it_differs(run):
    edited(read_trace("run.trace"), lambda e: [] if e[0] == "message" and e[4] == 2 else [e]).write("run.trace")
    result = run()
    assert result.exit_code == 1
    assert "✗ Not the same, after 26 events" in result.output
    assert "B      27  (the end)" in result.output
    assert "pip install" not in result.output


def test_where_it_differs_from_what_another_version_recorded_it_says_which(run):
    found = read_trace("run.trace")
    found.header["bsbpool"] = "9.8.7"
    edited(found, lambda e: [] if e[0] == "message" and e[4] == 2 else [e]).write("run.trace")
    assert "pip install bsbpool==9.8.7" in run().output


def test_it_says_what_ran_when_the_trace_was_cut(run):
    path = Path("run.trace")
    path.write_text("".join(path.read_text().splitlines(True)[:26]))
    result = run()
    assert result.exit_code == 0
    assert "ends in the midst of the run" in result.output
    assert "job 2, place, on rank 1, since 1.00 s" in result.output


def test_it_shows_what_would_have_happened(run):
    result = run("--ranks", "7", "--fail", "connect", "--kill", "2@1500ms", "--speed", "2", "--speed", "3:0.5")
    assert result.exit_code == 1
    what = " ".join(result.output.split())
    assert "What if there were 7 ranks, and all ranks were 2 times as fast, and rank 3 was 0.5 times as fast" in what
    assert "and rank 2 died at 1.50 s, and 1 job failed (connect)?" in what
    assert "recorded 3 3.00 s 100.0%" in what
    assert "bsbpool: a pool would have failed" in result.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--kill", "3"], "'3' says not who dies when"),
        (["--kill", "x@3s"], "'x@3s' says not who dies when"),
        (["--kill", "3@3"], "'3' is no duration"),
        (["--kill", "3@3s"], "there is no rank 3: there are ranks 0 to 2"),
        (["--speed", "0"], "'0' is no speed"),
        (["--speed", "a:2"], "'a:2' is no speed"),
        (["--ranks", "0"], "0 is not in the range"),
        (["--fail", "77"], "no job of the trace has that id or name"),
    ],
)
def test_bad_options_are_refused_in_a_line(run, args, message):
    result = run(*args)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1


def test_bad_traces_are_refused_in_a_line(run):
    Path("run.trace").write_text(json.dumps({"trace": "bsbpool", "version": 1, "ranks": 2, "hosts": []}) + "\n")
    result = run()
    assert result.exit_code == 2
    assert result.output.startswith("bsbpool: run.trace: the trace has no pool, so there is nothing to replay (see: ")


# -- the calls of failed jobs ------------------------------------------------------------------------

SCRIPT = """
import sys
import bsbpool

def divide(owner, number, by):
    return number / by

def gone(owner):
    raise LookupError("not there")

def run():
    with bsbpool.job_pool(quiet=True) as pool:
        pool.queue(divide, (1, 1), submitter="fine")
        pool.queue(divide, (1, 0), submitter="bad")
        pool.queue(gone, submitter="gone")
        try:
            pool.execute()
        except bsbpool.WorkflowError:
            pass

if __name__ == "__main__":
    run()
"""


@pytest.fixture
def captured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("program.py").write_text(SCRIPT)
    record = [str(Path(sys.executable).parent / "bsbpool"), "record", "-o", "run.trace", "--capture", "failed"]
    subprocess.run([*record, "program.py"], check=True, capture_output=True, timeout=300)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def replayed(*args, **options):
        return CliRunner().invoke(main, ["replay", "run.trace", *args], **options)

    return replayed


def test_jobs_that_failed_run_for_real(captured):
    result = captured("--jobs", "real", "--trust")
    assert result.exit_code == 0, result.output
    assert "2 jobs of 2 that failed ran for real.\n" in result.output
    assert "The same happened again" in result.output


def test_a_job_that_does_otherwise_now_makes_a_difference(captured):
    Path("program.py").write_text(SCRIPT.replace("number / by", "0"))
    result = captured("--jobs", "real", "--trust")
    assert result.exit_code == 1
    assert "Not the same" in result.output
    assert "A has status" in result.output or "status with another status and error" in result.output


def test_a_job_whose_function_is_gone_ends_as_it_was_recorded(captured):
    Path("program.py").write_text(SCRIPT.replace("def gone", "def other").replace("(gone,", "(other,"))
    result = captured("--jobs", "real", "--trust")
    assert result.exit_code == 0
    assert "1 job of 2 that failed ran for real.\n  not job 2: KeyError: 'gone'\n" in result.output


def test_one_job_runs_again_here(captured, monkeypatch):
    result = captured("--job", "1", "--trust")
    assert result.exit_code == 0
    assert "then: ZeroDivisionError: division by zero\n  now:  ZeroDivisionError: division by zero" in result.output
    seen = []
    monkeypatch.setattr("pdb.post_mortem", lambda trace: seen.append(traceback.extract_tb(trace)[-1].line))
    assert captured("--job", "1:1", "--trust", "--pdb").exit_code == 0
    assert seen == ["return number / by"]
    Path("program.py").write_text(SCRIPT.replace("number / by", "'mended'"))
    result = captured("--job", "1", "--trust")
    assert result.exit_code == 1
    assert "now:  it returned 'mended'" in result.output


def test_nothing_of_a_trace_runs_unless_it_is_trusted(captured):
    Path("program.py").write_text("raise SystemExit('it ran')")
    assert captured().exit_code == 0
    for args in (["--jobs", "real"], ["--job", "1"], ["--job", "1", "--pdb"]):
        result = captured(*args)
        assert result.exit_code == 2
        assert "this runs code from run.trace.calls, whoever wrote it: say --trust" in result.output


def test_calls_that_are_not_there(captured):
    result = captured("--job", "0", "--trust")
    assert result.exit_code == 2
    assert "there is no call of a job '0' in run.trace.calls; those that are there: 1:1, 1:2" in result.output
    assert "--pdb is for one job" in captured("--pdb").output
    calls = Path("run.trace.calls").read_bytes()
    Path("run.trace.calls").write_bytes(calls[:-3])
    cut = captured("--job", "2", "--trust").output
    assert "; those that are there: 1:1; the end of the file is missing: the run was killed, or the file was cut" in cut
    Path("run.trace.calls").unlink()
    assert "bsbpool record --capture failed keeps the calls" in captured("--job", "1", "--trust").output


# -- runs that were cut off --------------------------------------------------------------------------


def test_the_death_of_main_is_a_failure(tmp_path):
    path = tmp_path / "run.trace"
    recorded(alike(6, 1.0), 3).write(path)
    result = CliRunner().invoke(main, ["replay", str(path), "--kill", "0@1.5s"])
    assert result.exit_code == 1
    assert "main, rank 0, would have died at 1.50 s, and nobody else hands out jobs: 2 succeeded, 4 unfinished" in (
        " ".join(result.output.split())
    )
    assert "cut off" in result.output
    late = CliRunner().invoke(main, ["replay", str(path), "--kill", "0@10s"])
    assert late.exit_code == 0


def test_what_a_killed_run_began_is_no_sample_of_what_jobs_take(tmp_path):
    trace = recorded(alike(6, 1.0), 3)
    cut = Trace(trace.header)
    for event in trace.events:
        if event[1] <= 2e9:
            cut.append(event)
    for name, each in (("whole", trace), ("cut", cut)):
        each.write(tmp_path / f"{name}.trace")
    shown = CliRunner().invoke(main, ["show", str(tmp_path / "cut.trace")]).output
    assert "2 jobs were cut off and are in none of these times" in " ".join(shown.split())
    summary = summarise(cut)
    (strategy,) = summary.strategies
    assert (strategy.ran, strategy.timed, strategy.mean, strategy.total) == (6, 4, 1.0, 4.0)
    compared = " ".join(
        CliRunner().invoke(main, ["diff", *(str(tmp_path / f"{n}.trace") for n in ("whole", "cut"))]).output.split()
    )
    assert "Makespan 3.00 s in A; 2.00 s in B, which was cut off there." in compared
    assert "the same" in compared
    assert "shorter" not in compared
    assert "In B 2 jobs were cut off" in compared
    # What would have been goes by the jobs that came to an end.
    assert summarise(what_if(cut, Change()).trace).makespan == 3.0
