"""All ranks open a file. Faulty: rank 0 writes, the other reads."""
# 2 ranks; MPICH raises an error

import os

from mpi4py import MPI

comm = MPI.COMM_WORLD
mode = MPI.MODE_RDWR if comm.rank == 0 else MPI.MODE_RDONLY  # -
mode = MPI.MODE_RDWR  # +
data = MPI.File.Open(comm, os.devnull, mode)  # = collective-mismatch
data.Close()
