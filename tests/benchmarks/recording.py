"""What recording costs: the same pool on 4 real ranks with and without a trace, turn by turn, in one run.

`show` starts this file under ``mpirun``; there, rank 0 prints JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from measure import HERE, console, environment, median, noop, note, table

RANKS = 4

#: What the jobs are, how many, and what recording may cost: at most this much more time, or less throughput.
CASES = {"of 1 ms": (3_000, 0.03), "no-op": (30_000, 0.15)}


def short(owner):
    """A job of a millisecond, in which its rank leaves the core to others."""
    time.sleep(0.001)


def pool(comm, kind: str, path: str | None) -> float:
    """Seconds inside of execute(), on main."""
    import bsbpool
    from bsbpool.trace import TraceRecorder

    recorder = None if path is None else TraceRecorder(path)
    with bsbpool.job_pool(comm, quiet=True) as pool:
        if recorder is not None:
            pool.add_listener(recorder)
        if pool.is_main():
            job = short if kind == "of 1 ms" else noop
            for _ in range(CASES[kind][0]):
                pool.queue(job)
        comm.Barrier()
        start = time.perf_counter()
        pool.execute()
        seconds = time.perf_counter() - start
    if recorder is not None:
        recorder.close()
    return seconds


def measure(repetitions: int) -> None:
    """What a rank does under mpirun."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in CASES:
            pool(comm, kind, None)
            for name in ("run.trace", "run.trace.gz"):
                rows = []
                for number in range(repetitions):
                    path = os.path.join(folder, f"{number}-{kind}-{name}")
                    # Which of them goes first changes, so that no trend favours one.
                    order = (False, True) if number % 2 else (True, False)
                    rows += [(recorded, pool(comm, kind, path if recorded else None)) for recorded in order]
                    size = os.path.getsize(path) if comm.rank == 0 else 0
                with_it = [seconds for recorded, seconds in rows if recorded]
                without = [seconds for recorded, seconds in rows if not recorded]
                found[f"{kind} {name}"] = (with_it, without, size)
    if comm.rank == 0:
        print(json.dumps(found))


def show(repetitions: int) -> None:
    paths = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    mpirun = shutil.which("mpirun", path=paths)
    if mpirun is None:
        console.print("recording: there is no mpirun; `pip install bsbpool[mpich]` brings one.")
        return
    run = subprocess.run(
        [mpirun, "-n", str(RANKS), sys.executable, str(HERE / "recording.py"), str(2 * repetitions)],
        env=environment(), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found = json.loads(run.stdout.splitlines()[-1])
    rows = table(
        f"The same pool on {RANKS} real ranks, with and without a trace; medians of {2 * repetitions} pairs",
        ["jobs", "trace", "without, µs a job", "with", "more time", "less throughput", "bytes a job"],
    )
    for kind, (jobs, _) in CASES.items():
        for name in ("run.trace", "run.trace.gz"):
            with_it, without, size = found[f"{kind} {name}"]
            ratio = median(a / b for a, b in zip(with_it, without, strict=True))
            note(f"recording: time of jobs {kind} with {name}, relative to without", ratio)
            rows.add_row(
                f"{jobs:,} {kind}", name, f"{median(without) / jobs * 1e6:.1f}", f"{median(with_it) / jobs * 1e6:.1f}",
                f"{100 * (ratio - 1):+.1f} %", f"{100 * (1 - 1 / ratio):+.1f} %", f"{size / jobs:.0f}",
            )  # fmt: skip
    console.print(rows)


if __name__ == "__main__":
    measure(int(sys.argv[1]))
