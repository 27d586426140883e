"""An array is in two windows. Faulty: these overlap."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
mem = np.zeros(6)
low = MPI.Win.Create(mem[:4], 8, comm=comm)  # -
low = MPI.Win.Create(mem[:3], 8, comm=comm)  # +
high = MPI.Win.Create(mem[3:], 8, comm=comm)
value = np.array([1.0 + comm.rank])
for win in (low, high):
    win.Fence()
if comm.rank == 1:
    low.Put(value, 0, target=3)  # - rma-race
    low.Put(value, 0, target=2)  # +
if comm.rank == 2:
    high.Put(value, 0, target=0)  # = rma-race
for win in (low, high):
    win.Fence()
for win in (low, high):
    win.Free()
