"""A buffer is attached for sends. Faulty: the program writes into it."""
# 2 ranks; MPICH crashes

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
room = np.zeros(1000, "b")
MPI.Attach_buffer(room)  # = buffer-race
if comm.rank == 0:
    comm.Bsend(np.ones(3), dest=1)  # = buffer-race
    room[:] = 7  # - buffer-race
else:
    comm.Recv(np.empty(3), source=0)
MPI.Detach_buffer()
room[:] = 7  # +
