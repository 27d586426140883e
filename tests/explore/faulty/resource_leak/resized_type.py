"""Columns by a resized type. Faulty: the type that it was made of stays."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
n = 4
vector = MPI.DOUBLE.Create_vector(n, 1, n)  # = leaked-handle
column = vector.Create_resized(0, 8).Commit()
vector.Free()  # +
grid = np.zeros((n, n))
if comm.rank == 0:
    grid[:] = np.arange(n)
    comm.Send([grid, n, column], 1)
else:
    comm.Recv([grid, n, column], 0)
    print(grid[0].tolist())
column.Free()
