"""A column of an array is sent. Faulty: as it is, with gaps."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
grid = np.zeros((5, 5))
edge = grid[:, -1]
if comm.rank == 0:
    comm.Send(edge, dest=1)  # - invalid-argument
    comm.Send(np.ascontiguousarray(edge), dest=1)  # +
else:
    halo = np.empty(5)
    comm.Recv(halo, source=0)
    print(halo.tolist())
