"""Rank 0 puts two numbers. Faulty: it has ended that in between."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8 * 2, 8, comm=comm)
group = comm.Get_group()
other = group.Excl([comm.rank])
if comm.rank == 0:
    win.Start(other)
    win.Put(np.ones(1), 1)
    win.Complete()  # -
    win.Put(np.ones(1), 1, target=1)  # = epoch
    win.Complete()  # +
else:
    win.Post(other)
    while not win.Test():
        pass
group.Free()
other.Free()
win.Free()
