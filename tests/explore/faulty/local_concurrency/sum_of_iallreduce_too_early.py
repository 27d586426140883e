"""A norm, without blocking. Faulty: it is used before the wait."""
# 3 ranks; MPICH says nothing, or uses old values

import numpy as np
from mpi4py import MPI


def norm(comm, v):
    local = np.array([np.sum(v * v)])
    total = np.zeros(1)
    request = comm.Iallreduce(local, total)  # = buffer-race
    request.Wait()  # +
    result = np.sqrt(total[0])  # = buffer-race
    request.Wait()  # - buffer-race
    return result


comm = MPI.COMM_WORLD
print(norm(comm, np.ones(3) * comm.rank))
