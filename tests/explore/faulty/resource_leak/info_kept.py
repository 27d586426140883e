"""A window with hints. Faulty: they are not freed."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
info = MPI.Info.Create()  # = leaked-handle
info.Set("same_size", "true")
win = MPI.Win.Allocate(16, 8, info=info, comm=comm)
info.Free()  # +
win.Fence()
win.Put(np.ones(1), 1 - comm.rank)
win.Fence()
win.Free()
print("put")
