"""A persistent send for each step. Faulty: the request is inactive at the end, but never freed."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
value = np.zeros(3)

start = comm.Send_init if rank == 0 else comm.Recv_init
request = start(value, 1 - rank)  # = leaked-handle
for step in range(3):
    value += step * (rank == 0)
    request.Start()
    request.Wait()
request.Free()  # +
print(rank, value.sum())
