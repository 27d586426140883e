"""A window is read, and then written. Faulty: its owner says both times that nobody writes."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8 * 2, 8, comm=comm)
group = comm.Get_group()
other = group.Excl([comm.rank])
for reads in (True, False):
    if comm.rank == 0:
        win.Post(other, MPI.MODE_NOPUT)  # - epoch
        win.Post(other, MPI.MODE_NOPUT if reads else 0)  # +
        win.Wait()
    else:
        win.Start(other)
        cell = np.zeros(1)
        if reads:
            win.Get(cell, 0)
        else:
            win.Accumulate(cell, 0)  # = epoch
        win.Complete()
group.Free()
other.Free()
win.Free()
