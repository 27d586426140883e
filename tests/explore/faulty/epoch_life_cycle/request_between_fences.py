"""A number is put with a request. Faulty: without a lock."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8 * 2, 8, comm=comm)
win.Fence()  # -
win.Lock_all()  # +
request = win.Rput(np.ones(1), 1 - comm.rank, target=comm.rank)  # = epoch
request.Wait()
win.Fence()  # -
win.Unlock_all()  # +
win.Free()
