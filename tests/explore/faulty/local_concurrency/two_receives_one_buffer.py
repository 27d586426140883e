"""Two messages are awaited at once. Faulty: both receives have the same buffer."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

if rank == 0:
    buffers = [np.empty(4)] * 2  # -
    buffers = [np.empty(4), np.empty(4)]  # +
    requests = [comm.Irecv(buffers[i], source=i + 1) for i in range(2)]  # = buffer-race
    MPI.Request.Waitall(requests)  # = buffer-race
    print(sum(b.sum() for b in buffers))
else:
    comm.Send(np.full(4, float(rank)), dest=0)
