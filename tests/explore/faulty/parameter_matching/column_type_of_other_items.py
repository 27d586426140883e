"""A column goes to another rank. Faulty: there it is one of integers."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
n = 4
base = MPI.FLOAT if comm.rank == 0 else MPI.INT  # -
base = MPI.FLOAT  # +
column = base.Create_vector(n, 1, n).Commit()
grid = np.full((n, n), comm.rank, dtype="f4")
if comm.rank == 0:
    comm.Send([grid, 1, column], dest=1)  # = type-mismatch
else:
    comm.Recv([grid, 1, column], source=0)  # = type-mismatch
    print(grid[:, 0])
column.Free()
