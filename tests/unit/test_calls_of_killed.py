"""The calls of jobs that end their rank, and all others with it: they are on the disk before the job can run."""

import contextlib
import os
import subprocess
import sys

import pytest
from launching import of_ranks

import bsbpool
from bsbpool.trace import TraceRecorder, read_trace
from bsbpool.trace.recorded_calls import calls_path, read_calls
from bsbpool.trace.recording import MOST_STALE, running_path
from bsbpool_sim import RankErrors, Script, simulate

PROGRAM = """
import os, signal, bsbpool

def job(owner, n):
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)

with bsbpool.job_pool(quiet=True) as pool:
    if pool.is_main():
        for n in range(6):
            pool.queue(job, (n,), submitter="f")
    pool.execute()
"""


@pytest.mark.parametrize("ranks", [1, 3])
def test_the_call_of_a_job_that_killed_all_is_kept(tmp_path, ranks):
    (tmp_path / "program.py").write_text(PROGRAM)
    start = [] if ranks == 1 else [os.path.join(os.path.dirname(sys.executable), "mpirun"), "-n", str(ranks)]
    recording = [sys.executable, "-m", "bsbpool", "record", "--capture", "failed", "program.py"]
    with contextlib.suppress(subprocess.TimeoutExpired):
        environment = of_ranks(measured=ranks == 1)
        subprocess.run([*start, *recording], cwd=tmp_path, env=environment, capture_output=True, timeout=300)
    path = tmp_path / "run.trace"
    calls = read_calls(calls_path(path), read_trace(path))
    assert 3 in {job for _, job in calls}


def work(owner, data=b""):
    pass


def captured(tmp_path, program, ranks, **options):
    recorder = TraceRecorder(tmp_path / "run.trace", capture=True)
    with contextlib.suppress(RankErrors):
        simulate(lambda comm: program(comm, recorder), ranks, **options)
    recorder.close()
    path = tmp_path / "run.trace"
    return read_calls(calls_path(path), read_trace(path))


def filled(comm, recorder, count=4, data=b"", **options):
    with bsbpool.job_pool(comm, quiet=True, **options) as pool:
        pool.add_listener(recorder)
        if pool.is_main():
            for n in range(count):
                pool.queue(work, (data,), submitter=f"work {n}")
        pool.execute()


def test_jobs_that_were_lost_and_tried_again_are_kept_once(tmp_path):
    script = Script().job("work *", takes=1).rank(2, dies=0.5)
    calls = captured(tmp_path, lambda comm, recorder: filled(comm, recorder, retries=1), 4, script=script)
    assert [call.name for call in calls.values()] == ["work 1"]
    assert not os.path.exists(running_path(str(tmp_path / "run.trace")))


def test_when_main_is_killed_the_calls_of_all_that_ran_are_there(tmp_path):
    script = Script().job("work *", takes=1).rank(0, dies=1.5)
    calls = captured(tmp_path, filled, 3, script=script)
    assert {call.name for call in calls.values()} == {"work 2", "work 3"}


def test_a_run_in_which_all_is_well_leaves_no_calls_and_its_file_stays_small(tmp_path):
    sizes = []

    def program(comm, recorder):
        path = running_path(str(tmp_path / "run.trace"))

        def look(progress):
            if os.path.exists(path):
                sizes.append(os.path.getsize(path))

        with bsbpool.job_pool(comm, quiet=True) as pool:
            pool.add_listener(recorder)
            pool.add_listener(look)
            if pool.is_main():
                for _ in range(200):
                    pool.queue(work, (b"x" * 50_000,))
            pool.execute()

    assert captured(tmp_path, program, 3, script=Script().job("*", takes=1)) == {}
    assert max(sizes) < 4 * MOST_STALE < 200 * 50_000
    assert not os.path.exists(running_path(str(tmp_path / "run.trace")))
