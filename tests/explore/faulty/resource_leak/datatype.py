"""A column of a matrix is a datatype. Faulty: it is committed, used, and not freed."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
matrix = np.arange(12.0).reshape(3, 4) * (rank == 0)

column = MPI.DOUBLE.Create_vector(3, 1, 4)  # = leaked-handle
column.Commit()
if rank == 0:
    comm.Send([matrix, 1, column], dest=1)
else:
    comm.Recv([matrix, 1, column], source=0)
    print(matrix[:, 0])
column.Free()  # +
