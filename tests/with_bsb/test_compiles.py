"""Whole compiles by BSB, with this pool in place of its own: the same network, the same failures, and their traces.

What each test holds this pool against is BSB's own, which main runs on one rank before anything is installed.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import bsb.services.pool
import pytest
from bsb import MPI
from click.testing import CliRunner
from reconstructions import contents, network

import bsbpool.bsb
from bsbpool.cli import main
from bsbpool.mpi import MPIService
from bsbpool.trace import TraceRecorder, read_trace

RANKS = MPI.get_size()
IS_MAIN = MPI.get_rank() == 0

#: What may fail, by the name under which `network` knows it: what raises, and what the pool says of it.
FAILING = {
    "strategy": ("{root}.connectivity.left_right", "ValueError: corrupt chunk 1"),
    "placement hook": ("{root}.after_placement.label", "LookupError: no cells of empty"),
    "hook": ("{root}.after_connectivity.count", "ValueError: the hook failed"),
}


def one_rank():
    """The communicator of this rank alone."""
    if MPI.get_communicator() is None:
        return None
    from mpi4py.MPI import COMM_SELF

    return COMM_SELF


def compiled(path, comm=None, recorder=None, **options):
    """A compile's jobs, and what it raised. `options` are those of `network`, and whether it fails fast."""
    fail_fast = options.pop("fail_fast", True)
    scaffold, jobs = network(path, comm, **options), []
    scaffold.register_listener(lambda told: jobs.append(told.job) if told.reason.name == "JOB_ADDED" else None)
    if recorder is not None:
        scaffold.register_listener(recorder)
    try:
        scaffold.compile(clear=True, fail_fast=fail_fast)
    except bsb.services.pool.WorkflowError as error:
        return jobs, error
    return jobs, None


@pytest.fixture(scope="module")
def bsbs(tmp_path_factory):
    """On main: what BSB's own pool makes of a compile on one rank; made once for all tests that ask."""
    known = {}

    def on_one_rank(**options):
        key = str(options)
        if key not in known:
            path = tmp_path_factory.mktemp("bsbs") / "network.hdf5"
            known[key] = (*compiled(path, one_rank(), **options), contents(path))
        return known[key]

    return on_one_rank


def on_main():
    """What main finds wrong in here is an error on all ranks, so that none waits for it."""
    return MPIService(MPI.get_communicator()).try_main()


def statuses(jobs):
    return Counter((job.name, job.status.value) for job in jobs)


def on_all(path):
    """Main's path, since all ranks share a network."""
    return Path(MPI.bcast(str(path)))


def test_a_compile_makes_the_same_network_as_with_bsbs_own_pool(bsbs, tmp_path, installed):
    bsbpool.bsb.uninstall()
    theirs, error, expected = bsbs() if IS_MAIN else ([], None, {})
    bsbpool.bsb.install()
    path = on_all(tmp_path) / "network.hdf5"
    jobs, raised = compiled(path)
    assert raised is None and error is None
    with on_main():
        if IS_MAIN:
            assert type(jobs[0]).__module__ == "bsbpool.pool.jobs" and type(theirs[0]).__module__ == "bsb.services.pool"
            assert statuses(jobs) == statuses(theirs)
            assert set(statuses(jobs)) == {(name, "success") for name, _ in statuses(jobs)} and len(jobs) == 22
            stored = contents(path)
            assert stored.keys() == expected.keys() and len(stored) > 100
            assert [name for name in stored if stored[name] != expected[name]] == []


def test_another_seed_makes_another_network(bsbs):
    """Else the test above would show nothing."""
    if IS_MAIN:
        (*_, one), (*_, other) = bsbs(), bsbs(seed=43)
        assert one["placement/grid/0/position"] == other["placement/grid/0/position"]
        assert one["placement/left/0/position"] != other["placement/left/0/position"]


@pytest.mark.parametrize("fail_fast", [True, False])
def test_a_failing_strategy_ends_as_with_bsbs_own_pool_and_leaves_no_job_queued(bsbs, tmp_path, installed, fail_fast):
    bsbpool.bsb.uninstall()
    theirs, expected, stored = bsbs(fails="strategy", fail_fast=fail_fast) if IS_MAIN else ([], None, {})
    bsbpool.bsb.install()
    path = on_all(tmp_path) / "network.hdf5"
    jobs, error = compiled(path, fails="strategy", fail_fast=fail_fast)
    assert isinstance(error, bsb.services.pool.WorkflowError)
    if not IS_MAIN:
        assert [str(each) for each in error.exceptions] == ["See main node logs for details."]
    with on_main():
        if IS_MAIN:
            assert {type(each).__name__ for each in error.exceptions} == {"JobErroredError"}
            assert {str(each.error) for each in error.exceptions} == {str(each.error) for each in expected.exceptions}
            ended = statuses(jobs)
            placed = {key: number for key, number in ended.items() if "placement" in key[0]}
            assert placed == {key: number for key, number in statuses(theirs).items() if "placement" in key[0]}
            assert {status for _, status in ended} <= {"success", "failed", "cancelled", "aborted"}
            if fail_fast:
                assert 1 <= ended[FAILING["strategy"][0], "failed"] <= 2
            else:
                assert ended == statuses(theirs)
                assert len(error.exceptions) == len(expected.exceptions) == 2
                assert ended["{root}.connectivity.grid_left", "cancelled"] == 4
            assert contents(path) == stored


@pytest.mark.parametrize("fails", [None, *FAILING])
def test_a_compile_is_recorded_shown_and_replayed_exactly(tmp_path, installed, fails):
    recorder = TraceRecorder(tmp_path / "run.trace", capture=True)
    path = on_all(tmp_path) / "network.hdf5"
    jobs, error = compiled(path, recorder=recorder, fails=fails)
    recorder.close()
    assert (error is None) == (fails is None)
    with on_main():
        if IS_MAIN:
            check_recorded(path, tmp_path / "run.trace", jobs, fails)


def check_recorded(path, file, jobs, fails):
    """Main's part: the trace can be read, is shown, and replays; and so does the job that failed, alone."""
    trace = read_trace(file)
    assert trace.warnings == []
    assert len(trace.of("job")) == len(jobs) and all(pool["fail_fast"] in (True, False) for pool in trace.of("pool"))
    shown = CliRunner().invoke(main, ["show", "run.trace"])
    assert shown.exit_code == 0, shown.output
    again = CliRunner().invoke(main, ["replay", "run.trace"])
    assert again.exit_code == 0 and "The same happened again" in again.stdout, again.output
    if fails is not None:
        name, message = FAILING[fails]
        failed = [event for event in trace.of("status") if event["status"] == "failed"]
        assert {f"{event['error']['type']}: {event['error']['message']}" for event in failed} == {message}
        assert f"✗ {message}" in shown.stdout and message.partition(": ")[2] in again.stdout
        assert name in {job.name for job in jobs if job.status.value == "failed"}
        # The job alone, again, on a copy of the network as it was left. On several ranks in a process of its own, since
        # all ranks of a run make BSB's scaffold together.
        (pool, job), before = (failed[0]["pool"], failed[0]["job"]), contents(path)
        status, said = alone(file, "--job", f"{pool}:{job}", "--trust")
        assert status == 0 and f"now:  {message}" in said, said
        assert contents(path) == before


def alone(file, *options):
    """Replay a trace on one rank. Returns the exit status, and what was printed."""
    if RANKS == 1:
        replayed = CliRunner().invoke(main, ["replay", str(file), *options])
        return replayed.exit_code, replayed.output
    replayed = started(Path(sys.executable).parent / "bsbpool", "replay", file, *options, cwd=file.parent)
    return replayed.returncode, replayed.stdout + replayed.stderr


PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from reconstructions import network

if __name__ == "__main__":
    import bsbpool.bsb
    bsbpool.bsb.install()
    path, *fails = sys.argv[1:]
    network(path, fails=fails[0] if fails else None).compile(clear=True)
"""


def started(*command, **more):
    """A fresh process, without the variables by which it would take itself for a rank of this test's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PMI", "MPI", "HYDRA"))}
    paths = [str(Path(__file__).parent), *filter(None, [environment.get("PYTHONPATH")])]  # where the strategies are
    environment |= {"UCX_LOG_LEVEL": "error", "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True, timeout=600, **more
    )


@pytest.mark.skipif(RANKS > 1, reason="it starts an mpirun of its own")
def test_on_four_ranks_recorded_by_the_command(bsbs, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    python = Path(sys.executable).parent
    record = [python / "bsbpool", "record", "-o", "run.trace", "--capture", "failed", "program.py", "network.hdf5"]
    ran = started(python / "mpirun", "-n", 4, *record, "strategy")
    assert ran.returncode != 0 and FAILING["strategy"][1] in ran.stderr
    assert contents("network.hdf5") == bsbs(fails="strategy", fail_fast=True)[2]
    again = CliRunner().invoke(main, ["replay", "run.trace"])
    assert again.exit_code == 0 and "The same happened again" in again.stdout, again.output


def test_a_job_whose_network_is_gone_cannot_run_again(tmp_path, installed):
    recorder = TraceRecorder(tmp_path / "run.trace", capture=True)
    path = on_all(tmp_path) / "network.hdf5"
    compiled(path, recorder=recorder, fails="placement hook")
    recorder.close()
    MPI.barrier()
    with on_main():
        if IS_MAIN:
            path.unlink()
            pool = next(event["pool"] for event in read_trace("run.trace").of("status") if event["status"] == "failed")
            alone = CliRunner().invoke(main, ["replay", "run.trace", "--job", f"{pool}:0", "--trust"])
            assert alone.exit_code == 2 and "network.hdf5, is not in" in alone.output
