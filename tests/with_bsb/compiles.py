"""A program that compiles a network, for the tests that start it in processes of its own.

    python compiles.py ORDER RANKS FOLDER

ORDER: when it calls `bsbpool.bsb.install`: `before` BSB is imported, `after`, or `early`, when names are bound already.
RANKS: on which ranks, as `0,2`, or `all`. Main prints as JSON, by rank, a line for each of two compiles.
"""

import contextlib
import json
import sys
from pathlib import Path

order, ranks, folder = sys.argv[1:]
rank = 0
with contextlib.suppress(ImportError):
    from mpi4py import MPI

    rank = MPI.COMM_WORLD.Get_rank()
mine = ranks == "all" or str(rank) in ranks.split(",")


def install(when):
    if mine and when == order:
        import bsbpool.bsb

        bsbpool.bsb.install()


install("before")
import bsb  # noqa: E402

install("after")
import bsb.options  # noqa: E402
from bsb import JobPool, JobPoolError, WorkflowError  # noqa: E402
from bsb.services.pool import JobStatus  # noqa: E402

sys.path.append(str(Path(__file__).parent))
from networks import network  # noqa: E402

install("early")
bsb.options.quiet = True
scaffold = network(Path(folder))
heard, lines = set(), []
scaffold.register_listener(lambda progress: heard.add(getattr(getattr(progress, "job", None), "status", None)))
for _ in range(2):
    heard.clear()
    try:
        scaffold.compile(clear=True)
    except (JobPoolError, WorkflowError) as error:
        inner = [str(each.error) for each in getattr(error, "exceptions", ()) if hasattr(each, "error")]
        lines.append(" ".join([type(error).__name__, str(error), *inner]))
    else:
        lines.append(JobPool.__module__ + ", running is told" * (JobStatus.RUNNING in heard))
    bsb.MPI.barrier()
by_rank = bsb.MPI.gather(lines)
if rank == 0:
    print(json.dumps(by_rank))
