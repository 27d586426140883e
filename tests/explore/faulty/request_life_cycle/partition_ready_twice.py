"""A field is sent in parts. Faulty: one is ready twice."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
data = np.zeros((3, 2))
if comm.rank == 0:
    request = comm.Psend_init(data, 3, 1, tag=0)
    request.Start()
    parts = [0, 1, 1, 2]  # -
    parts = [0, 1, 2]  # +
    for part in parts:
        data[part] += 1
        request.Pready(part)  # = invalid-argument
else:
    request = comm.Precv_init(data, 3, 0, tag=0)
    request.Start()
request.Wait()
request.Free()
