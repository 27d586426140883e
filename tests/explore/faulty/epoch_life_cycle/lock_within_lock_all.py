"""A counter by fetch-and-op. Faulty: a rank is locked that is locked already, as all are."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8, 8, comm=comm)
one, old = np.ones(1, dtype="i8"), np.zeros(1, dtype="i8")
win.Lock_all()
win.Lock(0)  # - epoch
win.Fetch_and_op(one, old, 0)
win.Unlock(0)  # -
win.Flush(0)  # +
win.Unlock_all()
comm.Barrier()
win.Free()
