"""Each rank puts its part into rank 0's array. Faulty: all of them put it at the same place."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
table = np.zeros(size)
window = MPI.Win.Create(table, disp_unit=8, comm=comm)

window.Fence()
place = 0  # -
place = rank  # +
window.Put(np.array([rank + 1.0]), 0, target=place)  # = rma-race
window.Fence()  # = rma-race
if rank == 0:
    print(table)
window.Free()
