"""Edge cells leave while the cells are computed. Faulty: the computing changes what is being sent."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
cells = np.arange(4.0) + 10 * rank
edge = np.empty(1)

request = comm.Isend(cells[:1], dest=1 - rank)  # = buffer-race
cells *= 2  # - buffer-race
comm.Recv(edge, source=1 - rank)
request.Wait()  # = buffer-race
cells *= 2  # +
print(rank, edge[0], cells.sum())
