"""A sum over a hypercube. Faulty: partners send to each other at the same time."""
# 4 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
total, other = np.full(64, rank + 1.0), np.empty(64)

distance = 1
while distance < size:
    partner = rank ^ distance
    if rank < partner:  # +
        comm.Send(total, dest=partner)  # +
        comm.Recv(other, source=partner)  # +
    else:  # +
        comm.Recv(other, source=partner)  # +
        comm.Send(total, dest=partner)  # +
    comm.Send(total, dest=partner)  # - buffering
    comm.Recv(other, source=partner)  # -
    total = total + other
    distance *= 2
print(rank, total[0])
