"""Recording to files: what is written when, under which name, and what is in the first line."""

import contextlib
import gzip
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import bsbpool
from bsbpool.exceptions import JobCancelledError
from bsbpool.pool import JobStatus, PoolProgressReason, PoolStatus
from bsbpool.trace import EVENTS, VERSION, Recorder, Trace, TraceRecorder, read_trace
from bsbpool.trace.format import Successes
from bsbpool.trace.recording import MOST_BEHIND, FileRecorder
from bsbpool.worlds import trace_files
from bsbpool.worlds.trace_files import VARIABLE, numbered


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch):
    """No test records on, and none records for another."""
    monkeypatch.delenv(VARIABLE, raising=False)
    trace_files.forget()
    yield
    trace_files.forget()


def fill_up(path):
    """Let the disk be full for a file that this process writes."""
    (file,) = [int(fd) for fd in os.listdir("/proc/self/fd") if points_to(fd, path)]
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file)
    os.close(full)


def points_to(fd, path):
    with contextlib.suppress(OSError):  # that of the folder itself is gone by now
        return os.readlink(f"/proc/self/fd/{fd}") == str(path)


def made(path, now=lambda: 1_000, start=0, lock=None):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return FileRecorder(file, str(path), {"ranks": 1, "hosts": ["a"]}, now, start, lock or threading.RLock())


def nothing(owner):
    pass


def run(jobs=1, **options):
    with bsbpool.job_pool(quiet=True, **options) as pool:
        for _ in range(jobs):
            pool.queue(nothing)
        pool.execute()


# -- what is written when --------------------------------------------------------------------------


def test_lines_written_by_hand_are_those_of_a_trace(tmp_path):
    recorder = made(tmp_path / "x", start=100)
    trace = Trace({"ranks": 1, "hosts": ["a"]})
    odd = 'Übung \x1b \ud800 "quoted" \\ …'
    events = [
        *(
            (kind, 500, *range(len(fields)))
            for kind, fields in EVENTS.items()
            if kind not in ("job", "message", "status")
        ),
        ("status", 501, 1, 2, "running", 3, None),
        ("status", 502, odd, 2, "failed", None, odd),
        ("message", 503, 1, 2, 3, 400, 450),
        ("message", 503, odd, 2, 3, 90, 450),
        ("job", 504, 1, 0, "FunctionJob", odd, {}, (), ()),
        ("job", 505, odd, 1, odd, odd, {"a": [odd, 1.5, None]}, (0, 1), [7]),
        ("pool", 506, odd, 3, True, [odd]),
        ("unhandled", 507, 1, None, odd),
    ]
    for kind, t, *fields in events:
        recorder.record((kind, t, *fields))
        if kind == "message":
            fields[3:] = [fields[3] - 100, fields[4] - 100]
        trace.append((kind, t - 100, *fields))
    recorder.close()
    assert (tmp_path / "x").read_text().splitlines() == list(trace.lines())


def test_what_happens_all_the_time_is_folded_into_few_lines(tmp_path):
    recorder, odd = made(tmp_path / "x", start=100), 'a "pool" \u2028'
    recorder.record(("queued", 400, odd, [0, 1, 2, 3]))
    mine, other = Successes(odd), Successes(7)
    for event in ((mine, 400, 1, 0, -70, 20, 2), (mine, 410, 2, 1, 20, 0, "null"), (other, 411, 1, 5, -111, 1, 6)):
        recorder.record(event)
    recorder.close()
    _, *lines = [json.loads(line) for line in (tmp_path / "x").read_text().splitlines()]
    assert lines == [
        {"t": 300, "e": "queued", "pool": odd, "jobs": [0, 1, 2, 3]},
        {"t": 400, "e": "succeeded", "pool": odd, "rows": [[400, 1, 0, -70, 20, 2], [410, 2, 1, 20, 0, None]]},
        {"t": 411, "e": "succeeded", "pool": 7, "rows": [[411, 1, 5, -111, 1, 6]]},
    ]


@pytest.mark.parametrize("name", ["x", "x.gz"])
def test_what_is_settled_can_be_read_at_once_and_not_before(tmp_path, name):
    recorder = made(tmp_path / name)
    for n in range(3):
        recorder.emit("pool", n, 1, False, [])
        assert len(read_trace(tmp_path / name)) == n
        recorder.settle()
        found = read_trace(tmp_path / name)
        assert len(found) == n + 1
        assert bool(found.warnings) == name.endswith(".gz")  # it has no end yet
    recorder.rest()
    assert read_trace(tmp_path / name).warnings == []
    recorder.emit("pool", "another", 1, False, [])
    recorder.close()
    assert len(read_trace(tmp_path / name)) == 4
    recorder.emit("pool", "after the end", 1, False, [])
    recorder.settle()
    assert len(read_trace(tmp_path / name)) == 4


def test_it_keeps_up_when_there_is_much(tmp_path):
    recorder = made(tmp_path / "x")
    recorder.emit("pool", 1, 1, False, [])
    for n in range(3 * MOST_BEHIND):
        recorder.emit("ping", 1)
        recorder.keep_up()
        assert n + 2 - len(read_trace(tmp_path / "x")) < MOST_BEHIND
    recorder.close()


def test_tasks_may_record_and_settle_at_once(tmp_path):
    recorder = made(tmp_path / "x")
    recorder.emit("pool", 1, 1, False, [])

    def work():
        for _ in range(500):
            recorder.emit("ping", 1)
            recorder.settle()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    assert len(read_trace(tmp_path / "x")) == 2001


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_ends_the_trace_and_not_the_run(tmp_path):
    recorder = made(tmp_path / "x")
    fill_up(tmp_path / "x")
    recorder.emit("pool", 1, 1, False, [])
    with pytest.warns(
        UserWarning, match=r"The trace .*x ends here, since it can't be written: OSError: .* No space left"
    ):
        recorder.settle()
    recorder.emit("ping", 1)
    recorder.settle()
    recorder.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("filled", ["while it writes", "at the end"])
def test_a_full_disk_ends_a_compressed_trace_and_not_the_run(tmp_path, filled):
    recorder = made(tmp_path / "x.gz")
    recorder.emit("pool", 1, 1, False, [])
    if filled == "at the end":
        recorder.settle()
    fill_up(tmp_path / "x.gz")
    with pytest.warns(UserWarning, match=r"The trace .*x.gz ends here, since it can't be written") as warned:
        recorder.rest()
    assert len(warned) == 1
    recorder.emit("ping", 1)
    recorder.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_ends_the_calls_that_are_kept_once_and_not_the_run(tmp_path):
    with bsbpool.job_pool(quiet=True) as pool:
        listener = TraceRecorder(tmp_path / "x", capture=True)
        pool.add_listener(listener)
        fill_up(tmp_path / "x.calls")
        for _ in range(3):
            pool.queue(lambda owner: 1 / 0)
        with (
            pytest.warns(UserWarning, match=r"No more calls of failed jobs are kept beside .*x, .* No space left") as w,
            pytest.raises(bsbpool.WorkflowError) as caught,
        ):
            pool.execute()
    assert len(w) == 1
    assert len(caught.value.exceptions) == 3
    assert [e["status"] for e in read_trace(tmp_path / "x").of("status")].count("failed") == 3
    listener.close()


def test_everything_is_on_disk_when_somebody_elses_code_runs(tmp_path):
    path = tmp_path / "run.trace"
    seen = {}

    def look(name):
        seen.setdefault(name, {}).update({e["e"]: e for e in read_trace(path)})

    class Node:
        def queue(self, pool):
            look("scheduler")
            pool.queue(nothing)

    with bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(TraceRecorder(path))
        pool.add_listener(lambda progress: look("listener"))
        pool.schedule([Node()])
        pool.execute()
    assert "scheduling" in seen["scheduler"] and "job" not in seen["scheduler"]
    assert {"job", "status", "scheduled"} <= {*seen["listener"]}


def test_everything_is_on_disk_while_main_waits(tmp_path):
    path = tmp_path / "run.trace"
    seen = []

    def look(owner):
        # Main is at work beside this job; soon it waits.
        until = time.monotonic() + 240
        while time.monotonic() < until:
            seen[:] = [(e["job"], e["status"]) for e in read_trace(path).of("status")]
            if (0, "running") in seen:
                return

    with bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(TraceRecorder(path))
        pool.queue(look)
        pool.execute()
    assert (0, "running") in seen


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "second"),
    [
        ("run.trace", "run-2.trace"),
        ("a.b/my.run.trace.gz", "a.b/my.run-2.trace.gz"),
        ("run", "run-2"),
        (".gz", "-2.gz"),
        ("x.gz", "x-2.gz"),
        ("/tmp/.hidden", "/tmp/.hidden-2"),
    ],
)
def test_a_second_trace_gets_a_number(path, second):
    assert numbered(path, 1) == path
    assert numbered(path, 2) == second


def test_no_trace_is_overwritten(tmp_path):
    paths = []
    for _ in range(3):
        recorder = TraceRecorder(tmp_path / "run.trace.gz")
        with bsbpool.job_pool(quiet=True) as pool:
            pool.add_listener(recorder)
            pool.execute()
        recorder.close()
        recorder.close()
        paths.append(os.path.basename(recorder.path))
    assert paths == ["run.trace.gz", "run-2.trace.gz", "run-3.trace.gz"]
    assert all(len(read_trace(tmp_path / name)) for name in paths)


def test_the_variable_records_with_no_other_change(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "run.trace")
    run(3)
    assert trace_files.recorded() == str(tmp_path / "run.trace")
    os.chdir("/")
    run(2)
    trace = read_trace(tmp_path / "run.trace")
    assert [e["pool"] for e in trace.of("job")] == [1, 1, 1, "1 #2", "1 #2"]
    assert trace.warnings == []


def test_an_empty_variable_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "")
    run()
    assert trace_files.recorded() is None and os.listdir() == []


def test_where_nothing_can_be_written_the_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere" / "run.trace"))
    with pytest.warns(UserWarning, match=r"This run is not recorded: .*run.trace can't be written \(No such file"):
        run()
    run()  # and says so once
    assert os.listdir(tmp_path) == []


def test_a_folder_is_no_name_for_a_trace(tmp_path, monkeypatch):
    (tmp_path / "traces").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "traces"))
    with pytest.warns(UserWarning, match=r"This run is not recorded: .*traces can't be written \(Is a directory"):
        run()
    assert os.listdir(tmp_path) == ["traces"]


def test_a_child_of_a_fork_has_a_trace_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "run.trace"))
    run()
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)  # as in a child
    run(2)
    assert len(read_trace(tmp_path / "run.trace").of("job")) == 1
    assert len(read_trace(tmp_path / "run-2.trace").of("job")) == 2


def test_the_first_line_says_what_ran_where_and_when(tmp_path):
    path = tmp_path / "run.trace"
    program = "import bsbpool\nwith bsbpool.job_pool(quiet=True) as pool:\n    pool.execute()\n"
    (tmp_path / "program.py").write_text(program)
    before = time.time()
    subprocess.run(
        [sys.executable, "program.py", "--x", "\x1b"], cwd=tmp_path, check=True,
        env={**os.environ, VARIABLE: str(path), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip
    header = read_trace(path).header
    from datetime import datetime

    assert before - 1 <= datetime.fromisoformat(header.pop("when")).timestamp() <= time.time() + 1
    assert header.pop("run").startswith(f"{header['hosts'][0]}-{header.pop('process')}-")
    assert header == {
        "trace": "bsbpool", "version": VERSION, "ranks": 1, "hosts": header["hosts"], "simulated": False,
        "bsbpool": bsbpool.__version__, "python": header["python"], "system": header["system"], "mpi": header["mpi"],
        "arguments": ["program.py", "--x", r"\x1b"], "program": str(tmp_path / "program.py"), "module": None,
        "folder": str(tmp_path),
    }  # fmt: skip


# -- calls of failed jobs ----------------------------------------------------------------------------


def fail(owner, what):
    raise ValueError(what)


def test_calls_of_failed_jobs_are_kept_beside_the_trace(tmp_path):
    recorder = TraceRecorder(tmp_path / "run.trace", capture=True)
    with contextlib.suppress(bsbpool.WorkflowError), bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(recorder)
        pool.queue(nothing)
        pool.queue(fail, ("one\n{two}",), submitter="place\x1b")
        pool.queue(fail, (threading.Lock(),))
        with pytest.warns(UserWarning, match="The call of job 2 is not kept: TypeError: cannot pickle"):
            pool.execute()
    recorder.close()
    calls = Path(recorder.path + ".calls")
    assert calls.stat().st_mode & 0o077 == 0  # arguments may be nobody else's business
    first, line, rest = calls.read_bytes().split(b"\n", 2)
    header = read_trace(recorder.path).header
    assert json.loads(first) == {"calls": "bsbpool", "version": 1, "trace": "run.trace", "run": header["run"]}
    about = json.loads(line)
    assert about == {"pool": 1, "job": 1, "name": r"place\x1b", "bytes": len(rest) - 1}
    import pickle

    assert pickle.loads(rest[: about["bytes"]]) == (fail, ("one\n{two}",), {})


def test_without_capture_no_call_is_kept(tmp_path):
    with contextlib.suppress(bsbpool.WorkflowError), bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(TraceRecorder(tmp_path / "run.trace"))
        pool.queue(fail, ("one",))
        pool.execute()
    assert os.listdir(tmp_path) == ["run.trace"]


# -- compressed ----------------------------------------------------------------------------------------


def test_a_compressed_trace_can_be_read_by_gzip(tmp_path):
    recorder = TraceRecorder(tmp_path / "run.trace.gz")
    with bsbpool.job_pool(quiet=True) as pool:
        pool.add_listener(recorder)
        for _ in range(2000):
            pool.queue(nothing)
        pool.execute()
    recorder.close()
    lines = gzip.decompress(Path(recorder.path).read_bytes()).splitlines()
    assert json.loads(lines[-1])["e"] == "end"
    assert len(read_trace(recorder.path).of("status")) == 3 * 2000
    # Less, the more often main has time to write: that much even if it has after each job.
    assert os.path.getsize(recorder.path) < sum(map(len, lines)) / 3


def test_labels_are_unique():
    recorder = Recorder({}, lambda: 0)
    ids = [1, 1, "1 #2", [1, "a"], [1, "a"], True, None, "\x1b", 1]
    labels = [recorder.label(id) for id in ids]
    assert labels == [1, "1 #2", "1 #2 #2", '[1, "a"]', '[1, "a"] #2', "true", "null", r"\x1b", "1 #3"]


# -- the listener, in a pool that is none of this library ------------------------------------------------


class Foreign:
    """What BSB's own pool tells listeners, as far as its documentation goes."""

    def __init__(self, id=3):
        self.id = id
        self.jobs = []
        self.workflow = None

    def progress(self, reason, status=None, **more):
        return SimpleNamespace(
            reason=PoolProgressReason[reason], jobs=self.jobs, workflow=self.workflow, status=status, **more
        )

    def job(self, name, **context):
        job = SimpleNamespace(pool_id=self.id, name=name, context=context, error=None)
        self.jobs.append(job)
        return job


def test_another_pool_is_recorded_with_what_it_announces(tmp_path):
    pool, recorder = Foreign(), TraceRecorder(tmp_path / "run.trace")
    with contextlib.suppress(ValueError), recorder:
        recorder(pool.progress("POOL_STATUS_CHANGE", PoolStatus.SCHEDULING))
        recorder(pool.progress("MAX_TIMEOUT_PING"))
        assert not os.path.exists(tmp_path / "run.trace")  # whose that is cannot be told yet
        a, b = pool.job("a", chunk=(0, 1)), pool.job("b\x1b")
        for job in (a, b):
            recorder(pool.progress("JOB_ADDED", job=job))
        recorder(pool.progress("POOL_STATUS_CHANGE", PoolStatus.EXECUTING))
        recorder(pool.progress("MAX_TIMEOUT_PING"))
        for status in (JobStatus.RUNNING, JobStatus.FAILED):
            a.error = ValueError("boom") if status is JobStatus.FAILED else None
            recorder(pool.progress("JOB_STATUS_CHANGE", status, job=a))
        b.error = JobCancelledError("no more")
        recorder(pool.progress("JOB_STATUS_CHANGE", JobStatus.CANCELLED, job=b))
        assert len(read_trace(recorder.path).of("status")) == 3  # at once
        raise ValueError("boom")
    recorder.close()
    told = [{k: v for k, v in event.items() if k not in ("t", "pool")} for event in read_trace(recorder.path)]
    boom = {"kind": "raised", "type": "ValueError", "message": "boom"}
    no_more = {"kind": "raised", "type": "JobCancelledError", "message": "no more"}
    assert told == [
        {"e": "pool", "ranks": 1, "fail_fast": False, "phases": []},
        {"e": "announced"},
        {"e": "pool_status", "status": "scheduling"},
        {"e": "job", "job": 0, "kind": "SimpleNamespace", "name": "a", "context": {"chunk": [0, 1]}, "deps": (),
         "cache": ()},
        {"e": "job", "job": 1, "kind": "SimpleNamespace", "name": r"b\x1b", "context": {}, "deps": (), "cache": ()},
        {"e": "pool_status", "status": "executing"},
        {"e": "ping"},
        {"e": "status", "job": 0, "status": "running", "rank": None, "error": None},
        {"e": "status", "job": 0, "status": "failed", "rank": None, "error": boom},
        {"e": "status", "job": 1, "status": "cancelled", "rank": None, "error": no_more},
        {"e": "end", "error": boom},
    ]  # fmt: skip


def test_a_change_that_is_announced_when_the_job_has_changed_again_is_no_event_of_its_own(tmp_path):
    pool, recorder = Foreign(), TraceRecorder(tmp_path / "run.trace")
    with recorder:
        a = pool.job("a")
        recorder(pool.progress("JOB_ADDED", job=a))
        for status in (JobStatus.QUEUED, JobStatus.SUCCESS, JobStatus.SUCCESS):
            recorder(pool.progress("JOB_STATUS_CHANGE", status, job=a))
    recorder.close()
    assert [e["status"] for e in read_trace(recorder.path).of("status")] == ["queued", "success"]


def test_two_other_pools_in_turn_are_two_pools_of_the_trace(tmp_path):
    recorder = TraceRecorder(tmp_path / "run.trace")
    for _ in range(2):
        pool = Foreign()
        with recorder:
            recorder(pool.progress("JOB_ADDED", job=pool.job("a")))
    recorder.close()
    assert [(e["pool"], e["job"]) for e in read_trace(recorder.path).of("job")] == [(3, 0), ("3 #2", 0)]


def test_a_recorder_of_nothing_leaves_no_file(tmp_path):
    with TraceRecorder(tmp_path / "run.trace") as recorder:
        pass
    recorder.close()
    assert os.listdir(tmp_path) == []
