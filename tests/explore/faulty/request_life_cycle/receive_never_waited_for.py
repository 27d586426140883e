"""A message that may be needed later is received ahead. Faulty: the request of the receive is forgotten."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
correction = np.zeros(4)

if rank == 0:
    request = comm.Irecv(correction, source=1, tag=8)  # = unfinished-request
    total = sum(range(100))
    request.Wait()  # +
    print(total + correction.sum())
else:
    comm.Send(np.full(4, 0.25), dest=0, tag=8)
