"""A mailbox in a window. Faulty: its owner reads it without knowing that something came."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
box = np.zeros(3)
win = MPI.Win.Create(box, disp_unit=8, comm=comm)
if comm.rank == 0:
    win.Lock(1, MPI.LOCK_EXCLUSIVE)
    win.Put(np.array([1.0, 2.0, 3.0]), 1)  # = rma-race
    win.Unlock(1)
comm.Barrier()  # +
if comm.rank == 1:
    print(box.tolist())  # = rma-race
comm.Barrier()
win.Free()
