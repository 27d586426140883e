"""Recording on real ranks, from without: programs under mpirun, some of which are killed in the midst."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from launching import OPENMPI, needs_openmpi, of_ranks

from bsbpool.cli import main as bsbpool_command
from bsbpool.trace import TraceError, read_trace
from bsbpool.worlds.launcher import launcher

ROOT = Path(__file__).parents[2]
MPIRUN = shutil.which("mpirun", path=str(Path(sys.executable).parent)) or shutil.which("mpirun")
RECORD = ["-c", "from bsbpool.cli import main; main()", "record"]

#: Seconds after which a test gives up waiting for what must happen.
PATIENCE = 300

pytestmark = [
    pytest.mark.skipif(launcher() is not None, reason="this run is under an MPI launcher itself"),
    pytest.mark.skipif(MPIRUN is None or importlib.util.find_spec("mpi4py") is None, reason="needs mpi4py and mpirun"),
]

PROGRAM = """
import os, signal, sys, time
import bsbpool

def quick(owner, n):
    return n

def hold(owner, n):
    with open(f"new-{n}", "w") as file:
        file.write(f"{owner._comm.get_rank()} {os.getpid()} {time.monotonic_ns()}")
    os.rename(f"new-{n}", f"held-{n}")
    signal.pause()

def big(owner):
    owner.big = bytearray(60 * 2**20)

with bsbpool.job_pool(quiet=True) as pool:
    if pool.is_main():
        quick_ones = [pool.queue(quick, (n,), submitter="quick", n=n) for n in range(300)]
        for n in range(int(sys.argv[1])):
            pool.queue(hold, (n,), deps=quick_ones, submitter="hold", n=n)
        if not int(sys.argv[1]):
            pool.queue(big)
    pool.execute()
"""


@contextlib.contextmanager
def started(folder, *command, ranks=3, variable=None, source=PROGRAM, python=sys.executable):
    """A program under mpirun; ended, with all that it started, at the end.

    :param python: the Python beside whose MPI it runs.
    """
    (folder / "program.py").write_text(source)
    environment = of_ranks()
    if python == sys.executable:
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    environment.pop("BSBPOOL_TRACE", None)
    if variable is not None:
        environment["BSBPOOL_TRACE"] = variable
    mpirun = MPIRUN if python == sys.executable else Path(python).with_name("mpirun")
    process = subprocess.Popen(
        [mpirun, "-n", str(ranks), python, *map(str, command)],
        cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def awaited(what, holds):
    """What `holds` gives as soon as that is true."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = holds()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} has not come to pass in {PATIENCE} s")


def running(path):
    """By job that runs, according to the trace so far: its rank."""
    try:
        trace = read_trace(path)
    except TraceError:
        return {}
    last = {e["job"]: e for e in trace.of("status")}
    return {job: e["rank"] for job, e in last.items() if e["status"] == "running"}


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("name", "python"),
    [
        pytest.param("run.trace", sys.executable, id="run.trace"),
        pytest.param("run.trace.gz", sys.executable, id="run.trace.gz"),
        pytest.param("run.trace", OPENMPI, id="Open MPI", marks=needs_openmpi),
    ],
)
@pytest.mark.parametrize("whom", ["a worker", "main", "all"])
def test_after_kill_9_the_trace_says_which_job_ran_where_since_when(tmp_path, whom, name, python):
    path = tmp_path / name
    with started(tmp_path, *RECORD, "-o", name, "program.py", "2", python=python) as process:
        awaited("that both jobs run", lambda: len(running(path)) == 2)
        held = {}
        for n in range(2):
            awaited("a job's sign", (tmp_path / f"held-{n}").exists)
            held[300 + n] = [int(word) for word in (tmp_path / f"held-{n}").read_text().split()]
        main = read_trace(path).header["process"]
        workers = [pid for _, pid, _ in held.values()]
        for pid in {"a worker": workers[:1], "main": [main], "all": [main, *workers]}[whom]:
            kill(pid)
        _, complaints = process.communicate(timeout=PATIENCE)
        assert process.returncode != 0
    trace = read_trace(path)
    if whom != "a worker":
        assert running(path) == {job: rank for job, (rank, _, _) in held.items()}
        shown = CliRunner().invoke(bsbpool_command, ["show", str(path)], env={"COLUMNS": "200"}).stdout
        for job, (rank, _, _) in held.items():
            assert f"… hold, job {job} ran on rank {rank} on {trace.header['hosts'][0]}, since " in shown
    elif python == OPENMPI:  # MPICH's launcher names the process only
        assert f"process rank {held[300][0]} " in complaints
    since = {(e["job"], e["rank"]): e["t"] for e in trace.of("status") if e["status"] == "running" and e["job"] >= 300}
    assert set(since) == {(job, rank) for job, (rank, _, _) in held.items()}
    # Ranks of one host have one clock: a job began on its rank when main had sent it, and soon.
    first = min(e["started"] for e in trace.of("message"))
    assert all(first < t for t in since.values())
    ended = [e["job"] for e in trace.of("status") if e["status"] == "success"]
    assert sorted(ended) == [*range(300)]
    assert sorted(e["job"] for e in trace.of("message")) == sorted(ended)


def test_a_job_that_kills_its_rank_is_the_last_that_is_heard_of(tmp_path):
    source = PROGRAM.replace("signal.pause()", "os.kill(os.getpid(), signal.SIGKILL)")
    with started(tmp_path, *RECORD, "--capture", "failed", "program.py", "1", source=source) as process:
        process.wait(PATIENCE)
        assert process.returncode != 0
    found = [(e["status"], e["rank"]) for e in read_trace(tmp_path / "run.trace").of("status") if e["job"] == 300]
    rank = int((tmp_path / "held-0").read_text().split()[0])
    assert found[:2] == [("queued", None), ("running", rank)]


@pytest.mark.parametrize("how", ["command", "module", "variable"])
def test_all_ways_to_record_leave_one_complete_trace(tmp_path, how):
    command, variable = {
        "command": ([*RECORD, "-o", "run.trace", "program.py", "0"], None),
        "module": ([*RECORD, "-o", "run.trace", "-m", "program", "0"], None),
        "variable": (["program.py", "0"], "run.trace"),
    }[how]
    with started(tmp_path, *command, variable=variable, ranks=4) as process:
        said, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    assert said == ""
    assert [p.name for p in tmp_path.iterdir() if "trace" in p.name] == ["run.trace"]
    trace = read_trace(tmp_path / "run.trace")
    assert trace.warnings == []
    assert trace.header["ranks"] == 4 and len(trace.header["hosts"]) == 1
    assert trace.header["mpi"]
    assert len(trace.of("job")) == len(trace.of("message")) == 301
    assert [e["error"] for e in trace.of("end")] == [None]
    (last,) = [e for e in trace.of("memory") if e["job"] == 300]
    assert last["peak"] > 60 * 2**20
    assert {e["rank"] for e in trace.of("message")} <= {1, 2, 3}
    if how != "variable":
        assert errors.splitlines()[-3:] == [
            "bsbpool: recorded in run.trace",
            "  bsbpool show run.trace    what happened, and where the time went",
            "  bsbpool replay run.trace  the same again on simulated ranks, here",
        ]
        assert errors.count("bsbpool:") == 1  # main says so, and nobody else


def test_a_pool_of_some_ranks_has_a_trace_of_its_own_main(tmp_path):
    source = """
from mpi4py import MPI
import bsbpool
world = MPI.COMM_WORLD
half = world.Split(world.rank // 2, world.rank)
with bsbpool.job_pool(half, quiet=True) as pool:
    if pool.is_main():
        pool.queue(print)
    pool.execute()
"""
    with started(tmp_path, "program.py", variable="run.trace", ranks=4, source=source) as process:
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    assert sorted(p.name for p in tmp_path.iterdir() if "trace" in p.name) == ["run-rank2.trace", "run.trace"]
    for name in ("run.trace", "run-rank2.trace"):
        trace = read_trace(tmp_path / name)
        assert trace.header["ranks"] == 4 and [e["ranks"] for e in trace.of("pool")] == [2]
        assert [e["rank"] for e in trace.of("message")] == [1]
