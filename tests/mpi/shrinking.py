"""A program for `test_killed_ranks`: pools on communicators that have dead ranks, or are what `Shrink` left of them.

Run as ``mpirun --with-ft ulfm -n 6 python shrinking.py SEED``. In each round a rank ends as by `kill -9`, main or
another: before a pool opens on a communicator that has had none, or while it runs. Those that are left open a second
pool on it, and a third on what `Shrink` makes of it; the next round begins with a duplicate of that. When one rank is
left it is over. Each rank prints a line of JSON for each pool; ranks in it are those of COMM_WORLD.

Nobody dies while a communicator is made: Open MPI 5.0 crashes then, on other ranks, be it in `Dup` or in `Shrink`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import signal
import sys
import threading
import time
from typing import Any

from mpi4py import MPI

from bsbpool import Owner, WorkflowError

WORLD = MPI.COMM_WORLD
JOBS = 12


def work(owner, i):
    """Takes a millisecond, so that a rank may die in the midst of the jobs, and tells which rank it was on."""
    time.sleep(0.001)
    return i, WORLD.rank


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def meet(comm):
    """Wait for all ranks; for the others if one has died meanwhile."""
    with contextlib.suppress(MPI.Exception):
        comm.Barrier()


def wait_for_death(comm):
    """Until this rank knows that one of them has died; MPI tells nobody of that who does not look."""
    while not comm.Get_failed().size:
        with contextlib.suppress(MPI.Exception):
            comm.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG)
        time.sleep(0.001)


def pool_on(comm, dead, which, moment=0):
    """Open a pool, and print what came of it.

    :param dead: all that have died, or are about to.
    :param which: of the three pools of a round.
    :param moment: seconds after which this rank dies, from when all have opened it; 0 if it never does.
    """
    errors = []
    pool = Owner(comm).create_job_pool(quiet=True, retries=6)
    with pool:
        if pool.is_main():
            jobs = [pool.queue(work, (i,)) for i in range(JOBS)]
        if which == "first":
            meet(comm)
        if moment:
            threading.Timer(moment, die).start()
        try:
            pool.execute()
        except WorkflowError as error:
            errors = [f"{type(each).__name__}: {each}" for each in error.exceptions]
        done = [job.result for job in jobs if job.status.value == "success"] if pool.is_main() else []
    if moment:
        signal.pause()
    print(json.dumps({
        "dead": dead, "which": which, "rank": WORLD.rank, "size": comm.size, "main": pool.is_main(),
        "done": [number for number, _ in done], "on": sorted({rank for _, rank in done}), "errors": errors,
    }), flush=True)  # fmt: skip


def main():
    # A rank that hangs says where, before the test gives up.
    faulthandler.dump_traceback_later(40, exit=True)
    chance = random.Random(int(sys.argv[1]))
    comm: Any = WORLD
    alive, dead = [*range(WORLD.size)], []
    while len(alive) > 1:
        doomed = alive.pop(chance.randrange(len(alive)))
        dead.append(doomed)
        moment = chance.choice([0, chance.uniform(0, 0.003), chance.uniform(0, 0.02)])
        if not moment:
            meet(comm)
            if WORLD.rank == doomed:
                die()
            wait_for_death(comm)
        pool_on(comm, dead, "first", moment if WORLD.rank == doomed else 0)
        wait_for_death(comm)
        pool_on(comm, dead, "second")
        comm = comm.Shrink()
        pool_on(comm, dead, "shrunk")
        comm = comm.Dup()


main()
