"""Two halves of an array are received. Faulty: the slices overlap in one cell."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

if rank == 0:
    field = np.zeros(8)
    middle = 3  # -
    middle = 4  # +
    requests = [comm.Irecv(field[:4], source=1)]  # = buffer-race
    requests.append(comm.Irecv(field[middle : middle + 4], source=2))  # = buffer-race
    MPI.Request.Waitall(requests)  # = buffer-race
    print(field.sum())
else:
    comm.Send(np.full(4, float(rank)), dest=0)
