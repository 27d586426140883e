"""Ghost cells. Faulty: a cell is sent while it is received."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
other = 1 - comm.rank
field = np.full(6, comm.rank, dtype="d")
request = comm.Irecv(field[4:], source=other)  # = buffer-race
comm.Send(field[3:5], dest=other)  # - buffer-race
comm.Send(field[2:4], dest=other)  # +
request.Wait()
print(field.size)
