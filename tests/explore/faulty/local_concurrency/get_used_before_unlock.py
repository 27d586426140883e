"""A value is got under a lock. Faulty: it is used before there was a flush."""
# 2 ranks; MPICH says nothing, or uses old values

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
memory = np.full(1, 7.0 if comm.rank == 0 else 0.0)
win = MPI.Win.Create(memory, comm=comm)
if comm.rank == 1:
    got = np.zeros(1)
    win.Lock(0, MPI.LOCK_SHARED)
    win.Get(got, 0)  # = buffer-race
    win.Flush(0)  # +
    print("got", got[0])  # = buffer-race
    win.Unlock(0)  # = buffer-race
comm.Barrier()
win.Free()
