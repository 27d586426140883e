"""Ranks relax until the error is small. Faulty: each looks at its own."""
# 2 ranks; MPICH hangs

import numpy as np
from mpi4py import MPI


def relax(x, comm):
    steps = 0
    while True:
        x = x / 2
        error = np.abs(x).max()
        error = comm.allreduce(error, op=MPI.MAX)  # +
        steps += 1
        if error < 0.2:
            return steps
        comm.Barrier()  # = deadlock, collective-mismatch


comm = MPI.COMM_WORLD
print(relax(np.array([1.0 + 3 * comm.rank]), comm))
print(comm.allreduce(1))  # = deadlock, collective-mismatch
