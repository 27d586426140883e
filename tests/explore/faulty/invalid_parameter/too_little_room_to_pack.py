"""A count and numbers are packed. Faulty: there is no room for the last."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
room = bytearray(MPI.INT.Pack_size(1, comm) + MPI.DOUBLE.Pack_size(2, comm))  # -
room = bytearray(MPI.INT.Pack_size(1, comm) + MPI.DOUBLE.Pack_size(3, comm))  # +
if comm.rank == 0:
    at = MPI.INT.Pack(np.array([3], "i"), room, 0, comm)
    at = MPI.DOUBLE.Pack(np.ones(3), room, at, comm)  # = invalid-argument
    comm.Send([room, at, MPI.PACKED], dest=1)
else:
    n, values = np.empty(1, "i"), np.empty(3)
    comm.Recv([room, MPI.PACKED], source=0)
    at = MPI.INT.Unpack(room, 0, n, comm)
    MPI.DOUBLE.Unpack(room, at, values, comm)
