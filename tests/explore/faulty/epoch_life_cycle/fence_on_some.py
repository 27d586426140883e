"""An epoch between two fences. Faulty: one rank leaves the second fence out."""
# 3 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
cells = np.zeros(size)
window = MPI.Win.Create(cells, disp_unit=8, comm=comm)

window.Fence()
window.Put(np.ones(1), (rank + 1) % size, target=rank)
if rank != 1:  # -
    window.Fence()  # - deadlock, epoch, collective-mismatch
window.Fence()  # +
window.Free()  # = deadlock, epoch, collective-mismatch
print(rank, cells.sum())
