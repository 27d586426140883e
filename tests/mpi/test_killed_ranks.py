"""Real ranks that are killed, under an MPI that survives that: Open MPI with ULFM."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from launching import of_ranks

PYTHON = os.environ.get("BSBPOOL_OPENMPI_PYTHON")
PROGRAM = Path(__file__).with_name("lost_ranks.py")
SHRINKING = Path(__file__).with_name("shrinking.py")
ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.skipif(
    PYTHON is None, reason="BSBPOOL_OPENMPI_PYTHON names no Python with Open MPI (tests/run.py makes one)"
)

#: Open MPI 5.0's MPI_Finalize hangs now and then after ranks died: see docs/failures.md.
ULFM = ["--with-ft", "ulfm", "-x", "MPI4PY_RC_FINALIZE=0"]

#: Seconds that a run may take; it takes a few.
BOUND = 300


def mpirun(ranks, *command):
    """Run a command on ranks of Open MPI that may be lost, and return how it ended. One that hangs fails the test."""
    launcher = [Path(PYTHON).parent / "mpirun", *ULFM, "--oversubscribe"]
    of_this = ("OMPI_", "PMI", "PRTE_", "MPI_")  # if this is a rank itself
    environment = {k: v for k, v in of_ranks().items() if not k.startswith(of_this) or k.startswith("OMPI_ALLOW_")}
    return subprocess.run(
        [*map(str, launcher), "-n", str(ranks), PYTHON, *map(str, command)],
        capture_output=True, text=True, timeout=BOUND, env=environment, cwd=ROOT, check=False,
    )  # fmt: skip


def rounds(ranks, seed, kills, retries, number):
    """What main said of each round."""
    run = mpirun(ranks, PROGRAM, seed, kills, retries, number)
    said = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert len(said) == number, run.stdout + run.stderr
    return said


@pytest.mark.parametrize("seed", range(6))
def test_workers_killed_at_random_moments_cost_their_jobs_and_nothing_else(seed):
    doomed = []  # one may die after its pool has ended, and be lost to the next
    for said in rounds(5, seed, 1, 0, 3):
        doomed += said["doomed"]
        aborted = said["aborted"]
        # Each killed rank ran one job at the most; that job's dependent is cancelled, and all others succeeded.
        assert len(aborted) <= len(doomed)
        assert said["cancelled"] == [job + 60 for job in aborted if job < 60]
        assert said["success"] == 120 - len(aborted) - len(said["cancelled"])
        assert said["intact"]
        assert said["lost"] == [True] * len(aborted)
        for job, message in zip(aborted, said["messages"], strict=True):
            half = "first" if job < 60 else "second"
            ranks, host = "|".join(map(str, doomed)), re.escape(socket.gethostname())
            said_of = rf"<FunctionJob {job} {half} {job % 60}> was aborted: Rank ({ranks}) on {host} died"
            assert re.fullmatch(said_of, message)
        assert said["changes"] == {}


@pytest.mark.parametrize("seed", range(6))
def test_with_retries_all_jobs_succeed_though_workers_are_killed(seed):
    for said in rounds(5, seed, 1, 3, 3):
        assert said["success"] == 120
        assert said["intact"]
        assert said["messages"] == []
        assert said["ends"] == ["success"]
        for changes in said["changes"].values():
            again = changes.count("queued") - 1
            assert changes == ["added", *["queued", "running"] * (1 + again), "success"]


def test_several_workers_may_die_in_one_pool():
    (said,) = rounds(5, 11, 3, 3, 1)
    assert len(said["doomed"]) == 3
    assert said["success"] == 120
    assert said["intact"]


MAIN_DIED = ["RankLostError: main (rank 0) is gone: it died"]


@pytest.mark.parametrize("seed", range(3))
def test_ranks_that_are_left_go_on_whenever_others_died_also_on_what_shrink_gave(seed):
    ranks = 6
    run = mpirun(ranks, SHRINKING, seed)
    said = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(said) == 3 * sum(range(1, ranks)), run.stdout + run.stderr
    before = set(range(ranks))  # those in the communicator; main is the lowest
    for dead, which, together in by_pool(said):
        alive = set(range(ranks)) - set(dead)
        assert {each["rank"] for each in together} == alive
        if which == "shrunk":
            before = alive
        assert {each["size"] for each in together} == {len(before)}
        main, *_ = sorted(together, key=lambda each: not each["main"])
        if min(before) not in alive:
            # It may have died when it had let some of them leave.
            told = [each["errors"] for each in together]
            assert all(errors == MAIN_DIED or (not errors and which == "first") for errors in told)
        elif before != alive and len(alive) == 1:
            assert main["done"] == [*range(12)] or "No rank is left to run jobs" in main["errors"][0]
        else:
            assert main["done"] == [*range(12)]
            workers = (before if which == "first" else alive) - {min(before)}
            assert set(main["on"]) <= (workers or alive)
            assert [each["errors"] for each in together] == [[]] * len(together)


def by_pool(said):
    """What the ranks of each pool said of it, pool by pool."""
    pools = {}
    for each in said:
        pools.setdefault((tuple(each["dead"]), each["which"]), []).append(each)
    order = ["first", "second", "shrunk"]
    for dead, which in sorted(pools, key=lambda pool: (len(pool[0]), order.index(pool[1]))):
        yield dead, which, pools[dead, which]


LARGE_RESULT_FOR_A_DEAD_MAIN = """
import os, signal, sys, time
from mpi4py import MPI
from bsbpool import WorkflowError, job_pool
def large(owner):
    return bytes(3_000_000)
def die(progress):
    if getattr(progress, "job", None) is not None and progress.status.value == "running":
        time.sleep(1)  # the result is announced then: main alone could tell, and this keeps it from looking
        os.kill(os.getpid(), signal.SIGKILL)
with job_pool(quiet=True) as pool:
    if pool.is_main():
        pool.add_listener(die)
        pool.queue(large)
    try:
        pool.execute()
    except WorkflowError as error:
        sys.stdout.write(f"{type(error.exceptions[0]).__name__} {error.exceptions[0]}\\n")
"""


def test_when_main_is_killed_a_worker_with_a_large_result_for_it_leaves(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(LARGE_RESULT_FOR_A_DEAD_MAIN)
    run = mpirun(3, program)
    assert run.stdout.splitlines() == ["RankLostError main (rank 0) is gone: it died"] * 2, run.stderr
