"""A field is sent row by row. Faulty: the first row is never ready."""
# 2 ranks; MPICH hangs

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
PARTS = 4
field = np.zeros((PARTS, 8))
if comm.rank == 0:
    request = comm.Psend_init(field, PARTS, 1, 0)
    request.Start()
    first = 1  # -
    first = 0  # +
    for part in range(first, PARTS):
        field[part] = part
        request.Pready(part)
else:
    request = comm.Precv_init(field, PARTS, 0, 0)
    request.Start()
request.Wait()  # = deadlock
request.Free()
