"""A shared counter gives out numbers. Faulty: it is read and written in two steps under shared locks."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
counter = np.zeros(1, dtype="i8")
window = MPI.Win.Create(counter, disp_unit=8, comm=comm)
mine = np.empty(1, dtype="i8")

if rank > 0:
    window.Lock(0, MPI.LOCK_SHARED)
    window.Get(mine, 0)  # - rma-race
    window.Flush(0)  # -
    window.Put(mine + 1, 0)  # - rma-race
    window.Fetch_and_op(np.ones(1, dtype="i8"), mine, 0, op=MPI.SUM)  # +
    window.Unlock(0)  # = rma-race
comm.Barrier()
window.Lock(0)
window.Get(mine, 0)
window.Unlock(0)
print(mine[0])
window.Free()
