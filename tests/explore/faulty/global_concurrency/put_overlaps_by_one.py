"""Blocks of a result array are put by their owners. Faulty: the blocks are one item too long."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
BLOCK = 4
result = np.zeros(BLOCK * size + 1)
window = MPI.Win.Create(result, disp_unit=8, comm=comm)
length = BLOCK + 1  # -
length = BLOCK  # +
block = np.full(length, rank + 1.0)

window.Fence()
window.Put(block, 0, target=BLOCK * rank)  # = rma-race
window.Fence()  # = rma-race
if rank == 0:
    print(result.sum())
window.Free()
