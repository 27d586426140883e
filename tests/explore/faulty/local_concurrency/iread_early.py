"""Ranks read from a file, without blocking. Faulty: the array is used before the wait."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
f = MPI.File.Open(comm, "y.dat", MPI.MODE_CREATE | MPI.MODE_RDWR | MPI.MODE_DELETE_ON_CLOSE)
f.Write_at_all(comm.rank * 16, np.full(4, comm.rank, "i"))
f.Sync()
comm.Barrier()
f.Sync()
buf = np.zeros(4, "i")
request = f.Iread_at(comm.rank * 16, buf)  # = buffer-race
request.Wait()  # +
print(buf.sum())  # = buffer-race
request.Wait()  # - buffer-race
f.Close()
