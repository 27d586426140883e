"""Indices go to a neighbour. Faulty: the receiver reads integers as floating point numbers."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

if rank == 0:
    comm.Send(np.arange(6, dtype="i8"), dest=1, tag=3)
else:
    indices = np.empty(6, dtype="f8")  # -
    indices = np.empty(6, dtype="i8")  # +
    comm.Recv(indices, source=0, tag=3)  # = type-mismatch
    print(indices.sum())
