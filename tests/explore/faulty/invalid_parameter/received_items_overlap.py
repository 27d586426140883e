"""Pairs of cells are received with a gap behind each. Faulty: the stride is one too small for pairs."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
field = np.zeros(12)
stride = 1  # -
stride = 3  # +
pairs = MPI.DOUBLE.Create_vector(4, 2, stride).Commit()
if comm.rank == 0:
    comm.Send(np.arange(8.0), dest=1)
else:
    comm.Recv([field, 1, pairs], source=0)  # = buffer-race
    print(field.sum() > 0)
pairs.Free()
