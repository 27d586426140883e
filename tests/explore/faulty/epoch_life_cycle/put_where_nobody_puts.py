"""Ranks put numbers after a fence. Faulty: that said that nobody would."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
win = MPI.Win.Allocate(8, 8, comm=comm)
flags = MPI.MODE_NOPUT  # -
flags = 0  # +
win.Fence(flags)  # = epoch
win.Put(np.ones(1), 1 - comm.rank)  # = epoch
win.Fence()  # = epoch
win.Free()
