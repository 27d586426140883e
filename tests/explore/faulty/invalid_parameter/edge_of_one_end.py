"""Each rank tells the next one its number. Faulty: one names another neighbour than that names."""
# 3 ranks; MPICH hangs

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
sources = [(comm.rank - 1) % comm.size]
targets = [(comm.rank + 1) % comm.size]
if comm.rank == 2:  # -
    sources = [0]  # -
graph = comm.Create_dist_graph_adjacent(sources, targets)  # = invalid-argument
mine = np.array([comm.rank], "i")
got = np.zeros(1, "i")
graph.Neighbor_allgather(mine, got)  # = invalid-argument
assert got[0] == (comm.rank - 1) % comm.size
graph.Free()
