"""Ranks exchange edges with their neighbours. Faulty: edges change meanwhile."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
ring = comm.Create_cart([3], periods=[True])
edges = np.array([1.0, 2.0])
ghosts = np.zeros(2)
for _ in range(2):
    request = ring.Ineighbor_alltoall(edges, ghosts)  # = buffer-race
    np.copyto(edges, edges[::-1].copy())  # - buffer-race
    request.Wait()
    np.copyto(edges, edges[::-1].copy())  # +
ring.Free()
