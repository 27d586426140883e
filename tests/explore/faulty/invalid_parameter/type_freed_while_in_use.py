"""A datatype is freed while it is in use, as MPI allows. Faulty: then it is used again."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
pair = MPI.INT.Create_contiguous(2).Commit()
data = np.arange(4, dtype="i")
requests = []
try:
    if comm.rank == 0:
        requests.append(comm.Isend([data, 2, pair], dest=1))
    else:
        requests.append(comm.Irecv([data, 2, pair], source=0))
finally:
    pair.Free()
MPI.Request.Waitall(requests)
if comm.rank == 0:
    comm.Send([data, 2, pair], dest=1, tag=2)  # - invalid-argument
    comm.Send([data, 4, MPI.INT], dest=1, tag=2)  # +
else:
    comm.Recv([data, 4, MPI.INT], source=0, tag=2)
