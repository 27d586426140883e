"""Ranks write to a file. Faulty: nobody closes it."""
# 2 ranks; MPICH says nothing

import os

import numpy as np
from mpi4py import MPI


def dump(comm, data, name):
    mode = MPI.MODE_WRONLY
    handle = MPI.File.Open(comm, name, mode)  # = leaked-handle
    handle.Write_at_all(comm.rank * data.nbytes, data)
    handle.Close()  # +


comm = MPI.COMM_WORLD
dump(comm, np.full(10, comm.rank), os.devnull)
print("dumped")
