"""A ring. Faulty: one buffer is sent from and received into."""
# 3 ranks; MPICH says nothing, or raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
block = np.full(3, comm.rank, dtype="i")
for _ in range(comm.size):
    comm.Sendrecv(block, dest=right, recvbuf=block, source=left)  # - buffer-race, invalid-argument
    comm.Sendrecv_replace(block, dest=right, source=left)  # +
print(block.tolist())
