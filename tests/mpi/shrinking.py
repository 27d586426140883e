"""A program for `test_killed_ranks`: pools on communicators that have dead ranks, or are what `Shrink` left of them.

Run as ``mpirun --with-ft ulfm -n 6 python shrinking.py SEED``. In each round a rank ends as by `kill -9`, main or
another: before a pool opens on a communicator that has had none, while it opens, or while it runs. Those that are left
open a second pool on it, and a third on what `Shrink` makes of it; the next round begins with a duplicate of that. When
one rank is left it is over. Each rank prints a line of JSON for each pool; ranks in it are those of COMM_WORLD.
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

from mpi4py import MPI

from bsbpool import Owner, WorkflowError

WORLD = MPI.COMM_WORLD
JOBS = 12


def work(owner, i):
    """Takes a millisecond, and tells which rank it was on."""
    time.sleep(0.001)
    return i, WORLD.rank


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def pool_on(comm, dead, which, moment=None):
    """Open a pool, and print what came of it.

    :param dead: all that have died, or are about to.
    :param which: of the three pools of a round.
    :param moment: seconds after which this rank dies.
    """
    if moment is not None:
        threading.Timer(moment, die).start()
    errors = []
    pool = Owner(comm).create_job_pool(quiet=True, retries=6)
    with pool:
        if pool.is_main():
            jobs = [pool.queue(work, (i,)) for i in range(JOBS)]
        try:
            pool.execute()
        except WorkflowError as error:
            errors = [f"{type(each).__name__}: {each}" for each in error.exceptions]
        done = [job.result for job in jobs if job.status.value == "success"] if pool.is_main() else []
    if moment is not None:
        signal.pause()
    print(json.dumps({
        "dead": dead, "which": which, "rank": WORLD.rank, "size": comm.size, "main": pool.is_main(),
        "done": [number for number, _ in done], "on": sorted({rank for _, rank in done}), "errors": errors,
    }), flush=True)  # fmt: skip


def main():
    # A rank that hangs says where, before the test gives up.
    faulthandler.dump_traceback_later(40, exit=True)
    chance = random.Random(int(sys.argv[1]))
    comm, alive, dead = WORLD, [*range(WORLD.size)], []
    while len(alive) > 1:
        doomed = alive.pop(chance.randrange(len(alive)))
        dead.append(doomed)
        moment = chance.choice([0, chance.uniform(0, 0.003), chance.uniform(0, 0.02)])
        with contextlib.suppress(MPI.Exception):  # it has died already, for others that are still in here
            comm.Barrier()
        if WORLD.rank == doomed and not moment:
            die()
        pool_on(comm, dead, "first", moment if WORLD.rank == doomed else None)
        pool_on(comm, dead, "second")
        comm = comm.Shrink()
        pool_on(comm, dead, "shrunk")
        comm = comm.Dup()


main()
