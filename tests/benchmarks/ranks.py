"""A pool on real MPI ranks against a bare mpi4py loop: a pickled call out, its result back, one outstanding
for each worker.

`show` starts this file under ``mpirun`` on each number of ranks; there, rank 0 prints JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

from measure import HERE, console, environment, median, noop, table

RANKS = (2, 4)
JOBS = (1_000, 10_000, 100_000)


def pool(comm, jobs: int) -> float:
    """Seconds inside of execute(), on main."""
    import bsbpool

    with bsbpool.job_pool(comm, quiet=True) as pool:
        if pool.is_main():
            for _ in range(jobs):
                pool.queue(noop)
        comm.Barrier()
        start = time.perf_counter()
        pool.execute()
        return time.perf_counter() - start


def loop(comm, jobs: int) -> float:
    """Seconds of the same calls without a pool, on main."""
    from mpi4py import MPI

    comm.Barrier()
    start = time.perf_counter()
    if comm.rank:
        while (call := comm.recv(source=0)) is not None:
            function, args = call
            comm.send(function(*args), 0)
        return 0.0
    status = MPI.Status()
    todo = jobs
    for rank in range(1, comm.size):
        comm.send((noop, (None,)), rank)
        todo -= 1
    for _ in range(jobs):
        comm.recv(source=MPI.ANY_SOURCE, status=status)
        if todo:
            comm.send((noop, (None,)), status.source)
            todo -= 1
    for rank in range(1, comm.size):
        comm.send(None, rank)
    return time.perf_counter() - start


def measure(repetitions: int) -> None:
    """What a rank does under mpirun."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    pairs = {jobs: [] for jobs in JOBS}
    pool(comm, 100)
    for _ in range(repetitions):
        for jobs in JOBS:
            for _ in range(5 if jobs == JOBS[0] else 1):
                pairs[jobs].append((pool(comm, jobs), loop(comm, jobs)))
    if comm.rank == 0:
        print(json.dumps({"library": MPI.Get_library_version().splitlines()[0], "pairs": pairs}))


def show(repetitions: int) -> None:
    paths = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    mpirun = shutil.which("mpirun", path=paths)
    if mpirun is None:
        console.print("mpi: there is no mpirun; `pip install bsbpool[mpich]` brings one.")
        return
    rows = table(
        "No-op jobs on real ranks, inside of execute(), and a bare mpi4py loop; medians",
        ["ranks", "jobs", "pool, jobs/s", "mpi4py, jobs/s", "pool / mpi4py", "pool, µs a job", "relative"],
    )
    library = ""
    for ranks in RANKS:
        run = subprocess.run(
            [mpirun, "-n", str(ranks), sys.executable, str(HERE / "ranks.py"), str(repetitions)],
            env=environment(), stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        measured = json.loads(run.stdout.splitlines()[-1])
        library = measured["library"]
        first = median(ours for ours, _ in measured["pairs"][str(JOBS[0])]) / JOBS[0]
        for jobs in JOBS:
            pairs = measured["pairs"][str(jobs)]
            ours, theirs = median(ours for ours, _ in pairs), median(theirs for _, theirs in pairs)
            rows.add_row(
                str(ranks), f"{jobs:,}", f"{jobs / ours:,.0f}", f"{jobs / theirs:,.0f}",
                f"{median(b / a for a, b in pairs):.2f}", f"{ours / jobs * 1e6:.1f}", f"{ours / jobs / first:.2f}",
            )  # fmt: skip
    console.print(f"MPI: {library}")
    console.print()
    console.print(rows)


if __name__ == "__main__":
    measure(int(sys.argv[1]))
