"""A norm by Allreduce. Faulty: one buffer is sent from and received into."""
# 3 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI


def normalise(comm, v):
    s = np.array([np.dot(v, v)])
    comm.Allreduce(s, s, op=MPI.SUM)  # - invalid-argument, buffer-race
    comm.Allreduce(MPI.IN_PLACE, s, op=MPI.SUM)  # +
    return v / np.sqrt(s[0])


comm = MPI.COMM_WORLD
print(normalise(comm, np.ones(4))[0])
