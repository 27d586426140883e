"""An exchange with the neighbour. Faulty: the receive has the memory that the send still has."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
values = np.full(8, float(rank))
others = values  # -
others = np.empty(8)  # +

send = comm.Isend(values, dest=1 - rank)  # = buffer-race
receive = comm.Irecv(others, source=1 - rank)  # = buffer-race
MPI.Request.Waitall([send, receive])  # = buffer-race
print(rank, others.mean())
