"""Four numbers are put. Faulty: all by way of one variable."""
# 2 ranks; MPICH says nothing, or puts the wrong values

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(4 * 8, 8, comm=comm)
value = np.zeros(1)
win.Fence()
if comm.rank == 0:
    for i in range(4):
        value = np.zeros(1)  # +
        value[0] = i + 1  # = buffer-race
        win.Put(value, 1, target=i)  # = buffer-race
win.Fence()  # = buffer-race
if comm.rank == 1:
    print("put")
win.Free()
