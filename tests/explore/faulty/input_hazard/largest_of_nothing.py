"""The largest value of all parts. Faulty: the part of a rank may be empty, which NumPy says from within."""
# 4 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
sample = np.array([3.0, 9.0, 4.0])
mine = np.array_split(sample, comm.size)[comm.rank]
largest = comm.allreduce(mine.max(), op=MPI.MAX)  # - failure
largest = comm.allreduce(mine.max(initial=-np.inf), op=MPI.MAX)  # +
assert largest == 9.0
