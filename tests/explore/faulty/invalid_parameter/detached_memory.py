"""Ranks attach memory to a window. Faulty: one detaches it before another writes there."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Create_dynamic(comm=comm)
heap = np.zeros(2)
win.Attach(heap)
addresses = comm.allgather(MPI.Get_address(heap))
win.Lock_all()
if comm.rank == 1:  # -
    win.Detach(heap)  # -
comm.Barrier()
if comm.rank == 0:
    win.Put(np.ones(1), 1, target=addresses[1])  # = invalid-argument
    win.Flush(1)
comm.Barrier()
win.Unlock_all()
if comm.rank == 0:  # -
    win.Detach(heap)  # -
win.Detach(heap)  # +
win.Free()
