"""A histogram is summed up. Faulty: one rank has floats."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
kind = "i8"
if comm.rank == 1:  # -
    kind = "f8"  # -
histogram = np.ones(8, dtype=kind)
total = np.zeros(8, dtype=kind)
comm.Allreduce(histogram, total, op=MPI.SUM)  # = type-mismatch, collective-mismatch
print(total.size)
