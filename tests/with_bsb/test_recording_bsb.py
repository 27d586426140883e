"""`TraceRecorder` listens to BSB's own pool, and writes what that announces. Nothing else of BSB is known to it.

On several ranks all of them run these tests, and main has the trace.
"""

import contextlib

import pytest
from bsb import Scaffold
from bsb.services import MPI
from bsb.services.pool import JobPool as BSBsPool
from bsb.services.pool import WorkflowError
from click.testing import CliRunner

from bsbpool.cli import main
from bsbpool.pool import JobPool
from bsbpool.trace import TraceRecorder, read_trace

RANKS = MPI.get_size()
IS_MAIN = MPI.get_rank() == 0


def job(owner, n):
    if n == 2:
        raise ValueError("boom")
    return n


def fill(pool):
    if not pool.is_main():
        return
    first = pool.queue(job, (1,), submitter="place", chunk=(0, 1))
    failing = pool.queue(job, (2,), deps=[first], submitter="connect")
    pool.queue(job, (3,), deps=[failing])


def recorded(kind, path, enters):
    """The trace of a pool with a job that fails; on other ranks than main None."""
    recorder = TraceRecorder(path)
    scaffold = Scaffold()
    pool = kind(7, scaffold)
    if enters:
        pool.add_listener(recorder)
    with contextlib.suppress(WorkflowError, ExceptionGroup), pool:
        if not enters:
            pool.add_listener(recorder)
        fill(pool)
        pool.execute()
    recorder.close()
    return read_trace(path) if IS_MAIN else None


def statuses(trace):
    """By job: the statuses that it took, with the errors."""
    taken = {}
    for event in (each for each in trace.events if each.e == "status"):
        taken.setdefault(event.job, []).append((event.status, None if event.error is None else str(event.error)))
    return taken


@pytest.mark.parametrize("enters", [True, False], ids=["added before", "added within"])
@pytest.mark.parametrize("name", ["bsb.trace", "bsb.trace.gz"])
def test_bsbs_own_pool_is_recorded_with_what_it_announces(tmp_path, name, enters):
    trace = recorded(BSBsPool, tmp_path / name, enters)
    if trace is None:
        assert not (tmp_path / name).exists()
        return
    assert trace.warnings == []
    assert trace.header["ranks"] == RANKS and trace.header["simulated"] is False
    assert [(e["pool"], e["ranks"]) for e in trace.of("pool")] == [(7, RANKS)]
    assert [e["pool"] for e in trace.of("announced")] == [7]
    assert [(e["job"], e["kind"], e["name"]) for e in trace.of("job")][:2] == [
        (0, "FunctionJob", "place"),
        (1, "FunctionJob", "connect"),
    ]
    assert trace.of("job")[0]["context"] == {"chunk": [0, 1]}
    taken = statuses(trace)
    assert taken[0][-1] == ("success", None)
    assert taken[1][-1] == ("failed", "ValueError: boom")
    assert taken[2] == [("cancelled", "JobCancelledError: Job killed for dependency failure")]
    # Of several ranks that pool does not tell which one runs what, and since when; it announces changes late.
    assert {e["rank"] for e in trace.of("status")} == {None}
    assert all(("running", None) in taken[job] for job in (0, 1)) == (RANKS == 1)
    assert all(len(set(each)) == len(each) for each in taken.values())
    assert "executing" in [e["status"] for e in trace.of("pool_status")]
    if enters:
        assert trace.of("end")[0]["error"]["type"] == "WorkflowError"


def test_both_pools_tell_the_same_of_the_same_jobs(tmp_path):
    traces = [
        recorded(kind, tmp_path / name, True) for kind, name in ((BSBsPool, "bsbs.trace"), (JobPool, "ours.trace"))
    ]
    if IS_MAIN:
        bsbs, ours = ({e["job"]: e["status"] for e in trace.of("status")} for trace in traces)
        assert bsbs == ours == {0: "success", 1: "failed", 2: "cancelled"}


def test_a_scaffold_registers_it_for_its_pools(tmp_path):
    recorder = TraceRecorder(tmp_path / "run.trace")
    scaffold = Scaffold()
    scaffold.register_listener(recorder)
    for _ in range(2):
        with scaffold.create_job_pool(quiet=True) as pool:
            if pool.is_main():
                pool.queue(job, (1,))
            pool.execute()
    recorder.close()
    if not IS_MAIN:
        return
    trace = read_trace(tmp_path / "run.trace")
    assert len(trace.of("pool")) == len(trace.of("job")) == 2
    assert len({e["pool"] for e in trace.of("job")}) == 2
    assert [e["status"] for e in trace.of("status") if e["status"] == "success"] == ["success"] * 2


def test_many_jobs_that_a_scheduler_queues_meanwhile(tmp_path):
    recorder = TraceRecorder(tmp_path / "run.trace")
    pool = BSBsPool(7, Scaffold())
    pool.add_listener(recorder, max_wait=0.01)
    with pool:
        if pool.is_main():
            first = [pool.queue(job, (n,)) for n in range(10, 30)]
            pool.schedule([1], lambda _: [pool.queue(job, (n,), deps=first) for n in range(30, 50)])
        pool.execute()
    recorder.close()
    if IS_MAIN:
        taken = statuses(read_trace(tmp_path / "run.trace"))
        assert {number: each[-1] for number, each in taken.items()} == dict.fromkeys(range(40), ("success", None))
        assert all(len(set(each)) == len(each) for each in taken.values())


def test_it_is_shown_as_far_as_it_is_told_and_not_replayed(tmp_path):
    path = str(tmp_path / "run.trace")
    if recorded(BSBsPool, path, True) is None:
        return
    shown = CliRunner().invoke(main, ["show", path])
    assert shown.exit_code == 0 and "1 succeeded, 1 failed, 1 cancelled." in shown.stdout
    assert ("on rank 0" in shown.stdout) == (RANKS == 1)
    again = CliRunner().invoke(main, ["replay", path])
    assert again.exit_code == 2 and "pool 7 is BSB's own" in again.output
