"""A number is written and read back. Faulty: it is only known to have left."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8, 8, comm=comm)
comm.Barrier()
win.Lock_all()
if comm.rank == 0:
    value, back = np.array([2.0]), np.zeros(1)
    win.Put(value, 1)  # = rma-race
    win.Flush_local(1)  # -
    win.Flush(1)  # +
    win.Get(back, 1)  # = rma-race
    win.Flush(1)
win.Unlock_all()
win.Free()
