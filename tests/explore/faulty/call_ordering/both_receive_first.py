"""Two neighbours exchange their edge cells. Faulty: both receive before they send."""
# 2 ranks; MPICH hangs

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
cells = np.full(12, float(rank))
cells[-1] = rank + 0.5
other = (rank + 1) % size
edge = np.empty(1)

for step in range(3):
    comm.Recv(edge, source=other, tag=step)  # - deadlock
    comm.Send(cells[-1:], dest=other, tag=step)  # -
    comm.Sendrecv(cells[-1:], other, step, edge, other, step)  # +
    cells[0] = edge[0]
    cells[1:-1] = (cells[:-2] + cells[2:]) / 2

print(f"part {rank}: {cells.sum():.3f}", flush=True)
