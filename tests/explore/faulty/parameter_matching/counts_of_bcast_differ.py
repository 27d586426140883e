"""Weights are broadcast as a buffer. Faulty: the receivers have room for fewer than the root sends."""
# 3 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

if rank == 0:
    weights = np.linspace(0.0, 1.0, 16)
else:
    weights = np.empty(12)  # -
    weights = np.empty(16)  # +
comm.Bcast(weights, root=0)  # = collective-mismatch, truncation
print(f"{rank}: {weights.mean():.3f}")
