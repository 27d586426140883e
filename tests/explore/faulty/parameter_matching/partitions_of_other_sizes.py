"""A field is sent in three parts, and received in four. Faulty: the receiver has room for less."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    field = np.ones(12)
    request = comm.Psend_init(field, 3, 1, 4)
    request.Start()
    request.Pready_range(0, 2)
else:
    field = np.zeros(8)  # -
    field = np.zeros(12)  # +
    request = comm.Precv_init(field, 4, 0, 4)
    request.Start()  # = truncation
request.Wait()  # = truncation
request.Free()
