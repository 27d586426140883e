"""Ranks sum up step by step. Faulty: one that gives up a step makes no call for it."""
# 3 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD


class Diverged(Exception):
    pass


def local(step):
    if comm.rank == 1 and step == 2:
        raise Diverged
    return comm.rank * step


total = 0
for step in range(4):
    try:
        mine = local(step)
        total += comm.allreduce(mine)  # - collective-mismatch
    except Diverged:
        pass  # -
        mine = 0  # +
    total += comm.allreduce(mine)  # +
comm.Barrier()  # = collective-mismatch
