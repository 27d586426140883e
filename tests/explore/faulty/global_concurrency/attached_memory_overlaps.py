"""Ranks write two numbers each into memory that is attached. Faulty: one in common."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Create_dynamic(comm=comm)
heap = np.zeros(4)
if comm.rank == 0:
    win.Attach(heap)
base = comm.bcast(MPI.Get_address(heap))
value = np.ones(2)
win.Fence()
if comm.rank:
    shift = comm.rank - 1  # -
    shift = 2 * (comm.rank - 1)  # +
    win.Put(value, 0, target=base + 8 * shift)  # = rma-race
win.Fence()
if comm.rank == 0:
    win.Detach(heap)
win.Free()
