"""A pool on real MPI ranks: how fast, how it grows, what large results cost, and what a rank costs that waits.

Each measure is a function that every rank calls under ``mpirun``; on rank 0 it returns what `tables` shows. What a
measure compares takes turns within one run, so that both sides meet the same machine.

`show` starts this file under ``mpirun`` for each measure and number of ranks; there, rank 0 prints JSON.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import time
from typing import Any

from measure import HERE, environment, noop

#: Measures, with the numbers of ranks on which each of them runs.
MEASURES = {"throughput": (2, 4), "growth": (2,), "payload": (2,), "idle": (4,), "oversubscribed": (8,)}

#: Jobs of the pool and the bare loop, and of the other peers, which take a hundred times as long.
MANY, FEW = 10_000, 500

#: Sizes of graphs whose cost of a job is compared.
SMALL, LARGE = 1_000, 100_000

MEGABYTE = 10**6
ARRAY = 64 * MEGABYTE


def run_pool(comm, fill):
    """Seconds inside of execute() on main, and the jobs that `fill` made there."""
    import bsbpool

    with bsbpool.job_pool(comm, quiet=True) as pool:
        jobs = fill(pool) if pool.is_main() else None
        comm.Barrier()
        start = time.perf_counter()
        pool.execute()
        seconds = time.perf_counter() - start
        results = [job.result for job in jobs or ()]
    return seconds, results


def pool(comm, jobs: int, function=noop, *args) -> float:
    def fill(pool):
        for _ in range(jobs):
            pool.queue(function, args)

    return run_pool(comm, fill)[0]


def loop(comm, jobs: int, function=noop, *args, send=None, receive=None) -> float:
    """A pickled call goes out, its result comes back, and each worker has one outstanding. Seconds on main."""
    from mpi4py import MPI

    send, receive = send or comm.send, receive or comm.recv
    comm.Barrier()
    start = time.perf_counter()
    if comm.rank:
        while (call := comm.recv(source=0)) is not None:
            function, args = call
            send(function(None, *args), 0)
        return 0.0
    status = MPI.Status()
    todo = jobs
    for rank in range(1, min(comm.size, jobs + 1)):
        comm.send((function, args), rank)
        todo -= 1
    for _ in range(jobs):
        receive(source=MPI.ANY_SOURCE, status=status)
        if todo:
            comm.send((function, args), status.source)
            todo -= 1
    for rank in range(1, comm.size):
        comm.send(None, rank)
    return time.perf_counter() - start


def futures(comm, jobs: int) -> float:
    """The same with mpi4py.futures."""
    from mpi4py.futures import MPICommExecutor

    seconds = 0.0
    with MPICommExecutor(comm, root=0) as entered:
        executor: Any = entered  # None on workers; mpi4py types it as another class
        if executor is not None:
            executor.submit(noop, None).result()
            start = time.perf_counter()
            for future in [executor.submit(noop, None) for _ in range(jobs)]:
                future.result()
            seconds = time.perf_counter() - start
    return seconds


def mpipool(comm, jobs: int) -> float:
    """The same with mpipool."""
    from mpipool import MPIExecutor

    comm.Barrier()
    executor = MPIExecutor(comm=comm)  # where the workers stay until it is shut down
    if comm.rank:
        return 0.0
    start = time.perf_counter()
    for future in [executor.submit(noop, None) for _ in range(jobs)]:
        future.result()
    seconds = time.perf_counter() - start
    executor.shutdown()
    return seconds


# -- the measures ------------------------------------------------------------------------------------------


def throughput(comm, repetitions: int):
    """Jobs a second that do nothing, inside of execute(), and those of each peer in the same turn."""
    groups = [{"mpi4py, a bare loop": (loop, MANY), "mpi4py.futures": (futures, FEW)}]
    if importlib.util.find_spec("mpipool"):
        groups.append(
            {"mpipool": (mpipool, FEW)}
        )  # after all others: once it is imported, a bare loop is 25 times slower
    elif comm.rank == 0:
        print("mpipool is not measured: `pip install mpipool` brings it.", file=sys.stderr)
    rates = {}
    pool(comm, MANY)
    for peers in groups:
        for _ in range(repetitions):
            ours = pool(comm, MANY)
            for name, (run, jobs) in peers.items():
                seconds = run(comm, jobs)
                if comm.rank == 0:
                    rates.setdefault(name, []).append((MANY / ours, jobs / seconds))
    return rates


def independent(pool, jobs):
    for _ in range(jobs):
        pool.queue(noop)


def chain(pool, jobs):
    last = None
    for _ in range(jobs):
        last = pool.queue(noop, deps=[last] if last else None)


def one_before_all(pool, jobs):
    first = pool.queue(noop)
    for _ in range(jobs - 1):
        pool.queue(noop, deps=[first])


def all_before_one(pool, jobs):
    pool.queue(noop, deps=[pool.queue(noop) for _ in range(jobs - 1)])


def random_graph(pool, jobs):
    chance = random.Random(4)
    made = []
    for i in range(jobs):
        made.append(pool.queue(noop, deps={made[int(i * chance.random())] for _ in range(2)} if i else None))


GRAPHS = {
    "independent": independent,
    "a chain": chain,
    "one before all others": one_before_all,
    "all others before one": all_before_one,
    "a random graph": random_graph,
}


def growth(comm, repetitions: int):
    """Seconds that a job takes, queueing included, in small and in large graphs."""
    costs = {}
    for name, graph in GRAPHS.items():
        for _ in range(min(repetitions, 3)):  # a chain waits for each of its jobs, and takes its time
            for jobs in (SMALL, LARGE):
                for _ in range(5 if jobs == SMALL else 1):
                    comm.Barrier()
                    start = time.perf_counter()
                    run_pool(comm, lambda pool: graph(pool, jobs))  # noqa: B023
                    costs.setdefault(name, {}).setdefault(jobs, []).append((time.perf_counter() - start) / jobs)
    return costs


def block(owner, bytes):
    """A job that returns an array, always the same."""
    import numpy

    if bytes not in BLOCKS:
        BLOCKS[bytes] = numpy.arange(bytes // 8, dtype=float)
    return BLOCKS[bytes]


BLOCKS = {}


def payload(comm, repetitions: int):
    """Bytes a second of results that are large arrays, those of mpi4py's out-of-band pickles, and main's memory."""
    import psutil
    from mpi4py.util import pkl5

    import bsbpool.pool.results

    direct = pkl5.Intracomm(comm)
    jobs, more = 4, 20
    rates = {"bsbpool": [], "mpi4py.util.pkl5": [], "bsbpool, to the folder": []}
    block(None, ARRAY)
    for _ in range(repetitions + 1):
        rates["bsbpool"].append(pool(comm, jobs, block, ARRAY))
        rates["mpi4py.util.pkl5"].append(loop(comm, jobs, block, ARRAY, send=direct.send, receive=direct.recv))
        room, bsbpool.pool.results.RESULTS_IN_MEMORY = bsbpool.pool.results.RESULTS_IN_MEMORY, 0
        rates["bsbpool, to the folder"].append(pool(comm, jobs, block, ARRAY))
        bsbpool.pool.results.RESULTS_IN_MEMORY = room
    before = psutil.Process().memory_info().rss
    with bsbpool.job_pool(comm, quiet=True) as all_of_them:
        if all_of_them.is_main():
            for _ in range(more):
                all_of_them.queue(block, (ARRAY,))
        all_of_them.execute()
        growth = psutil.Process().memory_info().rss - before
    rates = {
        name: [jobs * ARRAY / MEGABYTE / s for s in seconds[1:]] if comm.rank == 0 else []
        for name, seconds in rates.items()
    }
    return {"rates": rates, "results": more * ARRAY / MEGABYTE, "growth": growth / MEGABYTE}


def doze(owner):
    time.sleep(3)


def stamp(owner):
    return time.monotonic_ns()


def idle(comm, repetitions: int):
    """Shares of a core of ranks that wait, and seconds until a job starts on one that had none."""

    import bsbpool

    with bsbpool.job_pool(comm, quiet=True) as one:
        if one.is_main():
            one.queue(doze)
        comm.Barrier()
        start, used = time.monotonic(), time.process_time()
        one.execute()
        share = (time.process_time() - used) / (time.monotonic() - start)
    delays = []

    class Node:
        pass

    with bsbpool.job_pool(comm, quiet=True) as many:
        queued = []

        def scheduler(node):
            for _ in range(20 * repetitions):
                time.sleep(0.03)
                queued.append((time.monotonic_ns(), many.queue(stamp)))

        if many.is_main():
            many.schedule([Node()], scheduler)
        many.execute()
        delays = [(job.result - at) / 1e9 for at, job in queued]
    return {"shares": comm.gather(share), "delays": delays}


def compute(owner, rounds):
    """A job that takes the processor for a while."""
    total = 0
    for i in range(rounds):
        total += i * i
    return None


def oversubscribed(comm, repetitions: int):
    """Seconds of jobs that compute on more ranks than cores, and of the same work dealt out beforehand."""
    cores = len(os.sched_getaffinity(0))
    start = time.process_time()
    compute(None, 1_000_000)
    rounds = comm.bcast(int(1_000_000 * 0.010 / (time.process_time() - start)))
    jobs = 30 * (comm.size - 1)
    pairs = []
    for _ in range(repetitions):
        ours = pool(comm, jobs, compute, rounds)
        comm.Barrier()
        start = time.perf_counter()
        if comm.rank:
            for _ in range(jobs // (comm.size - 1)):
                compute(None, rounds)
        # Who is done must not take a core while it waits.
        waiting = comm.Ibarrier()
        while not waiting.Test():
            time.sleep(0.001)
        pairs.append((ours, time.perf_counter() - start))
    return {"cores": cores, "jobs": jobs, "pairs": pairs}


def run(measure: str, ranks: int, repetitions: int):
    """What a measure returns, on so many ranks; and which MPI that is."""
    paths = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    mpirun = shutil.which("mpirun", path=paths)
    if mpirun is None:
        raise SystemExit("There is no mpirun; `pip install bsbpool[mpich]` brings one.")
    options = os.environ.get("BSBPOOL_MPIRUN_OPTIONS", "").split()
    done = subprocess.run(
        [mpirun, *options, "-n", str(ranks), sys.executable, str(HERE / "ranks.py"), measure, str(repetitions)],
        env={**environment(), "UCX_LOG_LEVEL": "error"}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    said = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return said["measured"], said["library"]


def on_a_rank(measure: str, repetitions: int) -> None:
    """What each rank does under mpirun."""
    from mpi4py import MPI

    measured = globals()[measure](MPI.COMM_WORLD, repetitions)
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps({"library": MPI.Get_library_version().splitlines()[0], "measured": measured}), flush=True)


if __name__ == "__main__":
    on_a_rank(sys.argv[1], int(sys.argv[2]))
