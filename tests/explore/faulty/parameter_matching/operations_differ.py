"""The extremes of a field. Faulty: one rank reduces with another operation."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
field = np.sin(np.arange(20.0) + rank)
low, high = np.array([field.min()]), np.array([field.max()])
lowest, highest = np.empty(1), np.empty(1)

comm.Allreduce(low, lowest, op=MPI.MIN)
operation = MPI.MIN if rank == 2 else MPI.MAX  # -
operation = MPI.MAX  # +
comm.Allreduce(high, highest, op=operation)  # = collective-mismatch
if rank == 0:
    print(f"{lowest[0]:.3f} to {highest[0]:.3f}")
