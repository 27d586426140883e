"""A row is changed when it has arrived. Faulty: so is another."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
PARTS = 3
x = np.zeros((PARTS, 2))
if comm.rank == 0:
    x[:] = 7
    request = comm.Psend_init(x, PARTS, 1, tag=1)
    request.Start()
    request.Pready_range(0, PARTS - 1)
    request.Wait()
else:
    request = comm.Precv_init(x, PARTS, 0, tag=1)
    request.Start()  # = buffer-race
    while not request.Parrived(0):
        pass
    x[0] += 1
    first = float(x[1 if comm.rank else 0].sum())  # - buffer-race
    first = float(x[0].sum())  # +
    request.Wait()
    assert x[0, 0] == 8
    print(first)
request.Free()
