"""Rank 1 receives what is small. Faulty: a large message is matched, and left."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    for size in (3, 5000):
        comm.Send(np.zeros(size, "b"), dest=1)  # = unreceived-message
else:
    for _ in range(2):
        status = MPI.Status()
        message = comm.Mprobe(source=0, status=status)  # = unreceived-message
        if status.Get_count() > 1000:  # -
            continue  # -
        message.Recv(np.empty(status.Get_count(), "b"))
