"""A ticket is drawn. Faulty: it is looked at before the flush."""
# 2 ranks; MPICH says nothing, or uses old values

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8 if comm.rank == 0 else 0, 8, comm=comm)
one, ticket = np.ones(1, "q"), np.full(1, -1, "q")
win.Lock_all()
win.Fetch_and_op(one, ticket, 0, 0, MPI.SUM)  # = buffer-race
win.Flush(0)  # +
print("has a ticket", ticket[0] >= 0)  # = buffer-race
win.Unlock_all()  # = buffer-race
comm.Barrier()
win.Free()
