"""A counter in a window. Faulty: the window is not freed."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
counter = np.zeros(1, dtype="i8")

window = MPI.Win.Create(counter if rank == 0 else None, comm=comm)  # = leaked-handle
one, before = np.ones(1, dtype="i8"), np.empty(1, dtype="i8")
window.Lock(0)
window.Fetch_and_op(one, before, 0, op=MPI.SUM)
window.Unlock(0)
comm.Barrier()
if rank == 0:
    print(counter[0])
window.Free()  # +
