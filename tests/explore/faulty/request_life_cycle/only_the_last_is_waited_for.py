"""A halo in both directions. Faulty: the variable of the first request is overwritten by the second."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
left, right = (rank - 1) % size, (rank + 1) % size
cells = np.full(6, float(rank))

request = comm.Irecv(cells[:1], source=left, tag=1)  # - unfinished-request
request = comm.Irecv(cells[-1:], source=right, tag=2)  # -
requests = [comm.Irecv(cells[:1], source=left, tag=1), comm.Irecv(cells[-1:], source=right, tag=2)]  # +
comm.Send(cells[1:2], dest=left, tag=2)
comm.Send(cells[-2:-1], dest=right, tag=1)
request.Wait()  # -
MPI.Request.Waitall(requests)  # +
print(rank, cells[1:-1].sum())
