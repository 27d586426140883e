"""A program for `test_killed_ranks`: pools whose workers end as by `kill -9`, at moments that are drawn from a seed.

Run as ``mpirun --with-ft ulfm -n 4 python lost_ranks.py SEED KILLS RETRIES ROUNDS``. Main prints a line of JSON for
each round. Rank 1 survives; of the others, KILLS die in each round or right after it, until none is left.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import signal
import sys
import threading
import time
from functools import partial

from mpi4py import MPI

from bsbpool import Owner, WorkflowError
from bsbpool.exceptions import RankLostError

SEED, KILLS, RETRIES, ROUNDS = map(int, sys.argv[1:])
JOBS = 60


def work(owner, i):
    """Takes 1 to 9 ms, and returns a result that is small, or large, or comes in parts."""
    time.sleep((1 + i % 9) / 1000)
    if i % 10 == 3:
        return i, bytes([i]) * 100_000
    if i % 10 == 7:
        import numpy

        return i, numpy.full(100_000, i)
    return i, None


def dies(seconds):
    """This process is gone after so many seconds, whatever it is at then."""

    def die():
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=die, daemon=True).start()


def intact(i, result):
    """Whether this is what `work` returned."""
    number, data = result
    if data is None:
        return number == i
    return number == i and len(data) == 100_000 and all(x == i for x in data[::1000])


def note(changes, progress):
    """A listener that writes down each change of a job."""
    if hasattr(progress, "job"):
        changes.setdefault(progress.job.id, []).append(pool_word(progress))


def main():
    # A rank that hangs says where, before the test gives up.
    faulthandler.dump_traceback_later(40, exit=True)
    world = MPI.COMM_WORLD
    owner = Owner(world)
    chance = random.Random(SEED)
    mortal = [*range(2, world.size)]
    all_doomed = []
    for number in range(ROUNDS):
        doomed = {mortal.pop(chance.randrange(len(mortal))): chance.uniform(0, 0.15) for _ in range(KILLS) if mortal}
        all_doomed.append(doomed)
        pool = owner.create_job_pool(quiet=True, retries=RETRIES)
        changes: dict[int, list[str]] = {}
        if pool.is_main():
            pool.add_listener(partial(note, changes))
        errors = []
        with pool:
            if pool.is_main():
                first = [pool.queue(work, (i,), submitter=f"first {i}") for i in range(JOBS)]
                second = [pool.queue(work, (i,), deps=[first[i]], submitter=f"second {i}") for i in range(JOBS)]
            if world.rank in doomed:
                dies(doomed[world.rank])
            try:
                pool.execute()
            except WorkflowError as error:
                errors = [*error.exceptions]
            if pool.is_main():
                jobs = first + second
                done = [job for job in jobs if job.status.value == "success"]
                print(json.dumps({
                    "round": number,
                    "doomed": sorted(doomed),
                    "success": len(done),
                    "intact": all(intact(job.id % JOBS, job.result) for job in done),
                    "aborted": [job.id for job in jobs if job.status.value == "aborted"],
                    "cancelled": [job.id for job in jobs if job.status.value == "cancelled"],
                    "lost": [isinstance(job.error, RankLostError) for job in jobs if job.status.value == "aborted"],
                    "messages": [str(error) for error in errors],
                    "changes": {job: said for job, said in changes.items() if "queued" in said[2:]},
                    "ends": sorted({said[-1] for said in changes.values()}),
                }), flush=True)  # fmt: skip

    # Who is doomed dies here, if it has not yet.
    if any(world.rank in each for each in all_doomed):
        time.sleep(60)


def pool_word(progress):
    return progress.status.value if hasattr(progress, "old_status") else "added"


main()
