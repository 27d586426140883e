"""Ranks put numbers step by step. Faulty: each fence says that it ends no accesses."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8 * 2, 8, comm=comm)
value = np.ones(1)
for step in range(2):
    win.Fence(MPI.MODE_NOPRECEDE)  # - epoch
    win.Fence(MPI.MODE_NOPRECEDE if step == 0 else 0)  # +
    win.Put(value, 1 - comm.rank, target=step)
win.Fence(MPI.MODE_NOSUCCEED)
win.Free()
