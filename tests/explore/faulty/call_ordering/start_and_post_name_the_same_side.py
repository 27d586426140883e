"""Ranks write to the right. Faulty: each lets the right one write, and not the left one."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8 * 2, 8, comm=comm)
world = comm.Get_group()
left, right = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
readers = world.Incl([right])  # -
readers = world.Incl([left])  # +
writers = world.Incl([right])
value = np.array([float(comm.rank)])
win.Post(readers)  # = deadlock
win.Start(writers)  # = deadlock
win.Put(value, right)
win.Complete()  # = deadlock
win.Wait()  # = deadlock
for group in (world, readers, writers):
    group.Free()
win.Free()
