"""Two ranks add up what they have. Faulty: before the receive has ended."""
# 2 ranks; MPICH says nothing, or uses old values

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
other = 1 - comm.rank
mine = np.array([comm.rank + 1.0])
theirs = np.zeros(1)
request = comm.Irecv(theirs, source=other)  # = buffer-race
comm.Send(mine, dest=other)
request.Wait()  # +
total = mine[0] + theirs[0]  # = buffer-race
request.Wait()  # - buffer-race
print("sum", total)
