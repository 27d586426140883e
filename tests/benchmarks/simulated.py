"""A pool on simulated ranks against a bare SimPy model of the same pool.

The model does what any pool has to do and no more: a Store for each rank, a process for each worker, and a
main that hands a job to whoever is done. It has no jobs to speak of, no statuses, no messages that are packed,
no trace. Both are timed from nothing to the last result, the making of ranks included, in seconds of processor
time: neither ever waits.

Run as a script, with a number of jobs and of ranks, it prints the peak memory of that run in bytes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import simpy
from measure import HERE, console, environment, median, noop, note, table, timed

import bsbpool
from bsbpool_sim import simulate

RANKS = 1_000
SMALL = 8
JOBS = (1_000, 10_000, 100_000)
#: Those that are run beside the model. The pool is to have half of its throughput at 20,000 jobs, and 0.7 at 100,000.
BESIDE_THE_MODEL = (1_000, 10_000, 20_000, 100_000)
#: Of these, whose jobs and ranks are few, many are run: what counts then is what opening one costs.
TINY_JOBS, TINY_RANKS, TINY_RUNS = 12, 4, 200
MANY = 10_000


def pool(jobs: int, ranks: int) -> None:
    """A pool of no-op jobs on simulated ranks."""

    def program(comm):
        with bsbpool.job_pool(comm) as pool:
            if pool.is_main():
                for _ in range(jobs):
                    pool.queue(noop)
            pool.execute()

    simulate(program, ranks)


def model(jobs: int, ranks: int) -> None:
    """The same in SimPy."""
    env = simpy.Environment()
    inbox = simpy.Store(env)
    stores = [simpy.Store(env) for _ in range(ranks - 1)]

    def worker(index):
        get, put = stores[index].get, inbox.put
        while (job := (yield get())) is not None:
            put((index, job))

    def main():
        todo = iter(range(1, jobs + 1))
        out = 0
        for store, job in zip(stores, todo):  # noqa: B905  (which of them is longer is the point)
            store.put(job)
            out += 1
        while out:
            index, _ = yield inbox.get()
            job = next(todo, None)
            if job is None:
                out -= 1
            else:
                stores[index].put(job)
        for store in stores:
            store.put(None)

    for index in range(ranks - 1):
        env.process(worker(index))
    env.process(main())
    env.run()


def show(repetitions: int) -> None:
    against_the_model(repetitions)
    console.print()
    tiny(repetitions)
    console.print()
    growth(repetitions)
    console.print()
    memory()


def against_the_model(repetitions: int) -> None:
    rows = table(
        f"No-op jobs on {RANKS:,} simulated ranks, and a bare SimPy model; medians of {repetitions}",
        ["jobs", "pool, jobs/s", "SimPy, jobs/s", "pool / SimPy", "lowest", "highest"],
    )
    for jobs in BESIDE_THE_MODEL:
        pairs = [(timed(pool, jobs, RANKS), timed(model, jobs, RANKS)) for _ in range(repetitions)]
        ratios = [theirs / ours for ours, theirs in pairs]
        note(f"simulated: throughput of {jobs:,} jobs, relative to SimPy", median(ratios))
        rows.add_row(
            f"{jobs:,}",
            f"{jobs / median(ours for ours, _ in pairs):,.0f}",
            f"{jobs / median(theirs for _, theirs in pairs):,.0f}",
            *(f"{ratio:.2f}" for ratio in (median(ratios), min(ratios), max(ratios))),
        )
    console.print(rows)


def tiny(repetitions: int) -> None:
    rows = table(
        f"A simulated pool of {TINY_JOBS} jobs on {TINY_RANKS} ranks, opened, run and closed; "
        f"medians of {repetitions} times {TINY_RUNS}",
        ["pools/s", "CPU µs a pool", "SimPy, µs", "pool / SimPy", "lowest", "highest"],
    )

    def many(one: Callable[[int, int], None]) -> None:
        for _ in range(TINY_RUNS):
            one(TINY_JOBS, TINY_RANKS)

    many(pool), many(model)  # what is loaded, and made once, when they are first used
    pairs = [(timed(many, pool), timed(many, model)) for _ in range(repetitions)]
    ours, theirs = (median(column) / TINY_RUNS for column in zip(*pairs, strict=True))
    ratios = [of_model / of_pool for of_pool, of_model in pairs]
    spread = [f"{ratio:.2f}" for ratio in (median(ratios), min(ratios), max(ratios))]
    rows.add_row(f"{1 / ours:,.0f}", f"{ours * 1e6:,.0f}", f"{theirs * 1e6:,.0f}", *spread)
    console.print(rows)


def growth(repetitions: int) -> None:
    fewest, most = JOBS[0], JOBS[-1]
    rows = table(
        f"Cost of a job, relative to {fewest:,} jobs on as many ranks; medians of {repetitions}",
        ["ranks", "jobs", "CPU µs a job", "relative", "lowest", "highest"],
    )
    for ranks in (SMALL, RANKS):
        costs = {jobs: [] for jobs in JOBS}
        for _ in range(repetitions):
            for jobs in JOBS:
                # As many jobs in all, up to 20 runs: what is short is measured often.
                runs = min(20, most // jobs)
                costs[jobs].append(sum(timed(pool, jobs, ranks) for _ in range(runs)) / runs / jobs)
        for jobs in JOBS:
            ratios = [cost / first for cost, first in zip(costs[jobs], costs[fewest], strict=True)]
            spread = [f"{ratio:.2f}" for ratio in (median(ratios), min(ratios), max(ratios))]
            rows.add_row(f"{ranks:,}", f"{jobs:,}", f"{median(costs[jobs]) * 1e6:.1f}", *spread)
        note(f"simulated: cost of a job of {most:,}, relative to {fewest:,}, on {ranks:,} ranks", median(ratios))
    console.print(rows)


def memory() -> None:
    rows = table(
        "In a fresh process",
        ["ranks", "jobs", "CPU seconds", "jobs/s", "peak memory", "less an empty one's"],
    )
    empty = fresh(0, 1)[1]
    for ranks in (RANKS, MANY):
        seconds, peak = fresh(JOBS[-1], ranks)
        rows.add_row(
            f"{ranks:,}", f"{JOBS[-1]:,}", f"{seconds:.1f}", f"{JOBS[-1] / seconds:,.0f}",
            f"{peak / 1e6:.0f} MB", f"{(peak - empty) / 1e6:.0f} MB",
        )  # fmt: skip
    console.print(rows)


def fresh(jobs: int, ranks: int) -> tuple[float, int]:
    """Seconds of the pool, and the peak memory in bytes, of a process that runs nothing else."""
    run = subprocess.run(
        [sys.executable, str(HERE / "simulated.py"), str(jobs), str(ranks)],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, peak = run.stdout.split()
    return float(seconds), int(peak)


def peak() -> int:
    """The largest resident size that this process had, in bytes."""
    try:
        # getrusage would tell that of the process that started this one, if it was larger.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024
    except OSError:
        import resource

        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return size if sys.platform == "darwin" else size * 1024


if __name__ == "__main__":
    jobs, ranks = map(int, sys.argv[1:])
    print(timed(pool, jobs, ranks), peak())
