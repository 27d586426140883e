"""`TraceRecorder` listens to BSB's own pool, and writes what that announces. Nothing else of BSB is known to it."""

import contextlib

import pytest
from bsb import Scaffold
from bsb.services import MPI
from bsb.services.pool import JobPool as BSBsPool
from bsb.services.pool import WorkflowError

from bsbpool.pool import JobPool
from bsbpool.trace import TraceRecorder, read_trace

pytestmark = pytest.mark.skipif(MPI.get_size() > 1, reason="BSB's own pool needs another package on several ranks")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def job(owner, n):
    if n == 2:
        raise ValueError("boom")
    return n


def fill(pool):
    first = pool.queue(job, (1,), submitter="place", chunk=(0, 1))
    failing = pool.queue(job, (2,), deps=[first], submitter="connect")
    pool.queue(job, (3,), deps=[failing])


def recorded(kind, path, enters):
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
    return read_trace(path)


@pytest.mark.parametrize("enters", [True, False], ids=["added before", "added within"])
@pytest.mark.parametrize("name", ["bsb.trace", "bsb.trace.gz"])
def test_bsbs_own_pool_is_recorded_with_what_it_announces(tmp_path, name, enters):
    trace = recorded(BSBsPool, tmp_path / name, enters)
    assert trace.warnings == []
    assert trace.header["ranks"] == 1 and trace.header["simulated"] is False
    assert [(e["pool"], e["ranks"]) for e in trace.of("pool")] == [(7, 1)]
    assert [(e["job"], e["kind"], e["name"]) for e in trace.of("job")][:2] == [
        (0, "FunctionJob", "place"),
        (1, "FunctionJob", "connect"),
    ]
    assert trace.of("job")[0]["context"] == {"chunk": [0, 1]}
    statuses = {}
    for event in trace.of("status"):
        statuses.setdefault(event["job"], []).append((event["status"], event["error"]))
    assert statuses[0][-1] == ("success", None)
    assert statuses[1][-1] == ("failed", "ValueError: boom")
    assert statuses[2][-1][0] == "cancelled"
    assert "executing" in [e["status"] for e in trace.of("pool_status")]
    if enters:
        assert trace.of("end")[0]["error"].startswith("WorkflowError: ")


def test_both_pools_tell_the_same_of_the_same_jobs(tmp_path):
    bsbs, ours = (
        {e["job"]: e["status"] for e in recorded(kind, tmp_path / name, True).of("status")}
        for kind, name in ((BSBsPool, "bsbs.trace"), (JobPool, "ours.trace"))
    )
    assert bsbs == ours == {0: "success", 1: "failed", 2: "cancelled"}


def test_a_scaffold_registers_it_for_its_pools(tmp_path):
    recorder = TraceRecorder(tmp_path / "run.trace")
    scaffold = Scaffold()
    scaffold.register_listener(recorder)
    for _ in range(2):
        with scaffold.create_job_pool(quiet=True) as pool:
            pool.queue(job, (1,))
            pool.execute()
    recorder.close()
    trace = read_trace(tmp_path / "run.trace")
    assert len(trace.of("pool")) == len(trace.of("job")) == 2
    assert len({e["pool"] for e in trace.of("job")}) == 2
    assert [e["status"] for e in trace.of("status") if e["status"] == "success"] == ["success"] * 2
