"""Ranks read their neighbour's cell and write their own there. Faulty: in one epoch."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
cells = np.full(2, float(rank))
window = MPI.Win.Create(cells, disp_unit=8, comm=comm)
other, seen = 1 - rank, np.empty(1)

window.Fence()
window.Get(seen, other, target=0)  # = rma-race
window.Fence()  # +
window.Put(np.array([10.0 + rank]), other, target=0)  # = rma-race
window.Fence()  # = rma-race
print(rank, seen[0], cells[0])
window.Free()
