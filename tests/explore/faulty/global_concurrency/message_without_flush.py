"""One rank writes, tells a second one, and that reads. Faulty: it tells before its put has happened."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8, 8, comm=comm)
got = np.zeros(1)
win.Lock_all()
if comm.rank == 1:
    win.Put(np.array([4.0]), 0)  # = rma-race
    win.Flush(0)  # +
    comm.send("written", dest=2)
elif comm.rank == 2:
    comm.recv(source=1)
    win.Get(got, 0)  # = rma-race
    win.Flush(0)
win.Unlock_all()
print(got.size)
win.Free()
