"""A put between two fences. Faulty: there is no first fence."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8, 8, comm=comm)
win.Fence()  # +
if comm.rank == 0:
    win.Put(np.array([1.0]), 1)  # = epoch
win.Fence()
win.Free()
print("put")
