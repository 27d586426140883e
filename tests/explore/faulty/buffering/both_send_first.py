"""Two ranks exchange large arrays. Faulty: both send first, which works as long as MPI has room for the messages."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
mine, theirs = np.full(1000, float(rank)), np.empty(1000)

comm.Send(mine, dest=1 - rank)  # - buffering
comm.Recv(theirs, source=1 - rank)  # -
comm.Sendrecv(mine, 1 - rank, recvbuf=theirs, source=1 - rank)  # +
print(rank, theirs.mean())
