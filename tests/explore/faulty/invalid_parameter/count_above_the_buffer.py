"""A halo of two cells is sent. Faulty: the count is larger than the array is."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
halo = np.arange(2.0)
count = 4  # -
count = 2  # +

if rank == 0:
    comm.Send([halo, count, MPI.DOUBLE], dest=1)  # = invalid-argument
else:
    cells = np.empty(4)
    status = MPI.Status()
    comm.Recv(cells, source=0, status=status)
    print(status.Get_count(MPI.DOUBLE))
