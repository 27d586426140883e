"""How well a replay predicts: computing jobs on 2 real ranks, recorded, and on 3; and how fast traces are replayed.

`show` starts this file under ``mpirun``; there, it is the program that is recorded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import HERE, console, environment, median, note, table

#: What computing jobs take (loops of arithmetic), and how many of each kind there are.
JOBS, ROUNDS = 300, (50_000, 100_000, 200_000)

#: Jobs of the trace that is replayed for its speed: each is five events.
MANY = 200_000


def compute(owner, rounds):
    """A job that computes."""
    total = 0
    for number in range(rounds):
        total += number * number % 7
    return total


def program() -> None:
    """What is recorded."""
    import bsbpool

    with bsbpool.job_pool(quiet=True) as pool:
        if pool.is_main():
            first = [pool.queue(compute, (ROUNDS[n % 3],), submitter="place") for n in range(JOBS)]
            for n in range(JOBS // 2):
                pool.queue(compute, (ROUNDS[1],), submitter="connect", deps=first[2 * n : 2 * n + 2])
        pool.execute()


def measured(ranks: int, path: Path):
    """The trace of a run on so many real ranks."""
    from bsbpool.trace import read_trace

    path.unlink(missing_ok=True)
    mpirun = Path(sys.executable).parent / "mpirun"
    command = [str(mpirun), "-n", str(ranks), sys.executable, str(HERE / "prediction.py")]
    subprocess.run(command, env={**environment(), "BSBPOOL_TRACE": str(path)}, check=True, timeout=120)
    return read_trace(path)


def show(repetitions: int) -> None:
    """Print the tables."""
    from bsbpool.trace.summary import summarise
    from bsbpool_sim.replay import Change, replay, what_if

    made = table(
        "prediction, for jobs that compute",
        ["2 ranks, measured", "3 ranks, predicted", "measured", "off by", "jobs slower by", "less that, off by"],
    )
    predictions, measurements, others = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.trace"
        for _ in range(repetitions):
            two = measured(2, path)
            assert replay(two).same
            before, busy = summarise(two).makespan, summarise(two).busy
            predicted = summarise(what_if(two, Change(ranks=3)).trace).makespan
            three = summarise(measured(3, path))
            after = three.makespan
            predictions.append(predicted)
            measurements.append(after)
            # What is wrong with the schedule that was predicted, and not with how long jobs take on busier cores.
            slower = three.busy / busy
            scheduled = summarise(what_if(two, Change(ranks=3, speed={None: 1 / slower})).trace).makespan
            others.append(scheduled / after - 1)
            off = f"{predicted / after - 1:+.1%}"
            made.add_row(
                *(f"{seconds:.3f} s" for seconds in (before, predicted, after)), off, f"{slower - 1:+.1%}",
                f"{others[-1]:+.1%}",
            )  # fmt: skip
    console.print(made)
    one, other = median(predictions), median(measurements)
    note("prediction: time on 3 ranks that was predicted, relative to what it was", one / other)
    console.print(
        f"medians: {one:.3f} s predicted, {other:.3f} s measured, off by {one / other - 1:+.1%}; "
        f"less what jobs were slower, {median(others):+.1%}"
    )
    console.print()
    events, seconds = speed()
    made = table("replay", ["events", "seconds", "events/s"])
    made.add_row(f"{events:,}", f"{seconds:.1f}", f"{events / seconds:,.0f}")
    console.print(made)


def speed() -> tuple[int, float]:
    """How many events the large trace has, and how long its replay takes."""
    import bsbpool
    from bsbpool_sim import Script, simulate
    from bsbpool_sim.replay import replay

    def many(comm):
        with bsbpool.job_pool(comm, quiet=True) as pool:
            if pool.is_main():
                for number in range(MANY):
                    pool.queue(compute, (0,), submitter="place", chunk=number)
            pool.execute()

    trace = simulate(many, 17, script=Script().job("place", takes=0.01)).trace
    start = time.perf_counter()
    result = replay(trace)
    seconds = time.perf_counter() - start
    assert result.same
    return len(trace), seconds


if __name__ == "__main__":
    assert "BSBPOOL_TRACE" in os.environ
    program()
