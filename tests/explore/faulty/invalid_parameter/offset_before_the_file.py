"""Each rank writes its part. Faulty: rank 0 is not the first."""
# 2 ranks; MPICH raises an error

import os

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
mine = np.full(2, comm.rank, "i4")
log = MPI.File.Open(comm, os.devnull, MPI.MODE_RDWR)
log.Write_at((comm.rank - 1) * mine.nbytes, mine)  # - invalid-argument
log.Write_at(comm.rank * mine.nbytes, mine)  # +
log.Close()
