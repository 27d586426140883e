"""A put under a lock, flushed. Faulty: the flush comes after the unlock."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8, 8, comm=comm)
if comm.rank == 0:
    win.Lock(1)
    win.Put(np.zeros(1), 1)
    win.Flush(1)  # +
    win.Unlock(1)
    win.Flush(1)  # - epoch
comm.Barrier()
win.Free()
print("flushed")
