"""Two arrays with two tags. Faulty: they are received in the other order, so the first send needs a buffer."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

if rank == 0:
    comm.Send(np.arange(500.0), dest=1, tag=1)  # = buffering
    comm.Send(np.arange(500.0) * 2, dest=1, tag=2)
else:
    first, second = np.empty(500), np.empty(500)
    comm.Recv(second, source=0, tag=2)  # - buffering
    comm.Recv(first, source=0, tag=1)
    comm.Recv(second, source=0, tag=2)  # +
    print(first.sum(), second.sum())
