"""Rank 0 puts, rank 1 sums up. Faulty: it does so before the fence."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
inbox = np.zeros(2)
win = MPI.Win.Create(inbox, disp_unit=8, comm=comm)
win.Fence()
if comm.rank == 0:
    win.Put(np.array([1.0, 2.0]), 1)  # = rma-race
win.Fence()  # +
total = inbox.sum()  # = rma-race
win.Fence()  # - rma-race
print(total >= 0, total)
win.Free()
