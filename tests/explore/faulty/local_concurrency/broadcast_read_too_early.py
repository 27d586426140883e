"""Parameters are broadcast while the ranks set up. Faulty: the root reuses the buffer while it is being sent."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
parameters = np.array([0.1, 300.0]) if rank == 0 else np.empty(2)

request = comm.Ibcast(parameters, root=0)  # = buffer-race
if rank == 0:  # -
    parameters[0] = 0.2  # - buffer-race
request.Wait()  # = buffer-race
print(rank, parameters[1])
