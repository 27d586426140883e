"""Puts between fences. Faulty: after the last of them there is no fence."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
mem = np.zeros(3)
win = MPI.Win.Create(mem, disp_unit=8, comm=comm)
for step in range(2):
    win.Fence()
    if comm.rank == 0:
        win.Put(np.full(3, step, dtype="d"), 1)  # = epoch
win.Fence()  # +
win.Free()  # = epoch
print("end")
