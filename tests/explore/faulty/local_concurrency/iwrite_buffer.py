"""Ranks write to a file, without blocking. Faulty: the array is filled anew before the wait."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
f = MPI.File.Open(comm, "x.dat", MPI.MODE_CREATE | MPI.MODE_RDWR | MPI.MODE_DELETE_ON_CLOSE)
buf = np.full(4, comm.rank, "i")
request = f.Iwrite_at(comm.rank * 16, buf)  # = buffer-race
request.Wait()  # +
buf[:] = 7  # = buffer-race
request.Wait()  # - buffer-race
f.Close()
