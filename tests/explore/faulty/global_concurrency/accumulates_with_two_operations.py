"""Sums and maxima of all ranks in one window. Faulty: two operations on the same place in one epoch."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
sums = np.zeros(2)
window = MPI.Win.Create(sums, disp_unit=8, comm=comm)
value = np.array([rank + 1.0])

window.Fence()
if rank == 0:
    window.Accumulate(value, 0, target=0, op=MPI.SUM)  # = rma-race
else:
    window.Accumulate(value, 0, target=0, op=MPI.MAX)  # - rma-race
    window.Accumulate(value, 0, target=1, op=MPI.MAX)  # +
window.Fence()  # = rma-race
print(rank, sums)
window.Free()
