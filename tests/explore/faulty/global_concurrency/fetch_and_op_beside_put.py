"""A cell is replaced by all. Faulty: by one of them with a plain put, while others add."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8, 8, comm=comm)
one, old = np.ones(1, dtype="q"), np.zeros(1, dtype="q")
win.Lock_all()
if comm.rank == 2:
    win.Put(np.zeros(1, "q"), 0)  # - rma-race
    win.Accumulate(np.zeros(1, "q"), 0, op=MPI.REPLACE)  # +
    win.Flush(0)
else:
    win.Fetch_and_op(one, old, 0, op=MPI.SUM)  # - rma-race
    win.Fetch_and_op(one, old, 0, op=MPI.REPLACE)  # +
    win.Flush(0)
win.Unlock_all()
comm.Barrier()
win.Free()
