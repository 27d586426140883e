"""A put with a request. Faulty: nobody waits for it."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(64, 8, comm=comm)
if comm.rank == 0:
    values = np.arange(8, dtype="d")
    win.Lock(1)
    request = win.Rput(values, 1)  # = unfinished-request
    request.Wait()  # +
    win.Unlock(1)
comm.Barrier()
print(comm.rank)
win.Free()
