"""Recording in every world: the file holds what happened, whatever the ranks are."""

import os
import time
from pathlib import Path

import pytest
from helpers import executed, nothing

from bsbpool.exceptions import JobPoolError
from bsbpool.trace import TraceRecorder, read_trace


def shared(worlds, tmp_path, name="run.trace"):
    """A path that all ranks know."""
    if worlds.world.name != "mpi":
        return str(tmp_path / name)
    from mpi4py import MPI

    return MPI.COMM_WORLD.bcast(str(tmp_path / name))


def step(owner, n):
    time.sleep(0.002)
    if n == 5:
        raise ValueError("boom")


def fill(pool):
    first = [pool.queue(step, (n,), submitter=f"step {n}", number=n) for n in range(8)]
    pool.queue(nothing, deps=first[5:6])
    pool.queue(nothing, deps=first[:2], cache_items=[3, 4])


def statuses(trace):
    found = {}
    for event in trace.of("status"):
        found.setdefault(event["job"], []).append(event["status"])
    return found


@pytest.mark.parametrize("name", ["run.trace", "run.trace.gz"])
def test_a_listener_records_a_pool(worlds, tmp_path, name):
    path = shared(worlds, tmp_path, name)

    def program(comm):
        recorder = TraceRecorder(path)
        outcome = executed(comm, fill, listeners=[recorder])
        recorder.close()
        return outcome

    outcomes = worlds(program)
    trace = read_trace(path)
    assert trace.warnings == []
    assert trace.header["ranks"] == worlds.ranks or trace.header["ranks"] > worlds.ranks  # those of the whole program
    assert trace.header["simulated"] == worlds.simulated
    assert [e["deps"] for e in trace.of("job")] == [()] * 8 + [(5,), (0, 1)]
    assert [e["name"] for e in trace.of("job")][:3] == ["step 0", "step 1", "step 2"]
    assert [e["context"] for e in trace.of("job")][:2] == [{"number": 0}, {"number": 1}]
    assert list(trace.of("job")[9]["cache"]) == [3, 4]
    ok, failed, cancelled = ["queued", "running", "success"], ["queued", "running", "failed"], ["cancelled"]
    assert statuses(trace) == {**dict.fromkeys([*range(8), 9], ok), 5: failed, 8: cancelled}
    if outcomes[0] is not None:
        assert [s[-1] for _, s in sorted(statuses(trace).items())] == outcomes[0]["statuses"]
    errors = {str(e.error) for e in trace.events if e.e == "status" and e.job == 5}
    assert errors == {"None", "ValueError: boom"}
    (end,) = [e for e in trace.events if e.e == "end"]
    assert str(end.error).startswith("WorkflowError: JobErroredError: <FunctionJob 5 step 5 (number=5)>")
    workers = range(1, worlds.ranks) if worlds.parallel else [0]
    for event in trace.of("message"):
        assert event["rank"] in workers
        assert event["ended"] - event["started"] >= 0 if event["job"] > 7 else 2_000_000
        # The ranks of one host share a clock.
        assert 0 <= event["started"] <= event["ended"] <= event["t"]
    if not worlds.simulated:
        assert {e["rank"] for e in trace.of("memory")} <= {*workers}
        assert all(e["peak"] > 10 * 2**20 for e in trace.of("memory"))
        assert len(trace.of("memory")) >= 1
    times = [e["t"] for e in trace]
    assert times[0] >= 0 and times[-1] < 60 * 10**9


def test_several_pools_go_into_one_trace(worlds, tmp_path):
    path = shared(worlds, tmp_path)

    def program(comm):
        recorder = TraceRecorder(path)
        for _ in range(2):
            executed(comm, lambda pool: [pool.queue(nothing) for _ in range(5)] and None, listeners=[recorder])
        recorder.close()

    worlds(program)
    trace = read_trace(path)
    assert [e["pool"] for e in trace.of("pool")] == [1, "1 #2"]
    assert [(e["pool"], e["job"]) for e in trace.of("job")] == [(p, j) for p in (1, "1 #2") for j in range(5)]
    assert len([e for e in trace.of("status") if e["pool"] == "1 #2"]) == 15
    assert [e["pool"] for e in trace.of("end")] == [1, "1 #2"]


@pytest.mark.ranks(1, 2)
def test_two_recorders_of_one_pool_hold_the_same(worlds, tmp_path):
    path, other = shared(worlds, tmp_path), shared(worlds, tmp_path, "other.trace")

    def program(comm):
        recorders = [TraceRecorder(path), TraceRecorder(other, capture=True)]
        executed(comm, lambda pool: None, listeners=recorders[1:])  # so that the labels differ
        executed(comm, fill, listeners=recorders)
        for recorder in recorders:
            recorder.close()

    worlds(program)
    one, two = ([{**e, "t": 0, "pool": 0} for e in read_trace(p)] for p in (path, other))
    drop = ("message",)  # each counts its ranks' times from its own beginning
    kept = [e for e in two if e["e"] not in drop][-len([e for e in one if e["e"] not in drop]) :]
    assert [e for e in one if e["e"] not in drop] == kept
    assert b'"name":"step 5"' in Path(other + ".calls").read_bytes()


@pytest.mark.ranks(1, 2)
def test_a_recorder_may_come_when_the_pool_is_open_but_not_after_the_first_job(worlds, tmp_path):
    path = shared(worlds, tmp_path)

    def come(pool):
        pool.add_listener(TraceRecorder(path))
        pool.queue(nothing)
        with pytest.raises(JobPoolError, match=r"has to come before the first job: .* this pool has 1"):
            pool.add_listener(TraceRecorder(path + "2"))

    worlds(lambda comm: executed(comm, come))
    opening = ["pool", "in_turn" if worlds.ranks == 1 else "idle_first"]
    assert [e["e"] for e in read_trace(path)][: len(opening) + 2] == [*opening, "pool_status", "job"]
    assert statuses(read_trace(path)) == {0: ["queued", "running", "success"]}
    assert not os.path.exists(path + "2")


@pytest.mark.ranks(1, 2)
def test_a_recorder_that_cannot_write_stops_the_pool_and_no_rank_waits(worlds, tmp_path):
    path = shared(worlds, tmp_path, "nowhere/run.trace")

    def program(comm):
        try:
            executed(comm, fill, listeners=[TraceRecorder(path)])
        except OSError as error:
            return type(error).__name__
        return "went on"

    assert worlds(program)[0] == "FileNotFoundError"
