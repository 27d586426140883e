"""A row of an image goes to rank 0. Faulty: the receiver's row is shorter."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
WIDTH = 32

if rank == 1:
    comm.Send(np.arange(WIDTH, dtype="i4"), dest=0, tag=9)
else:
    row = np.empty(WIDTH // 2, dtype="i4")  # -
    row = np.empty(WIDTH, dtype="i4")  # +
    comm.Recv(row, source=1, tag=9)  # = truncation
    print(row[:4], row.sum())
