"""Three items are needed. Faulty: with fewer it ends with an error."""
# 2 ranks; MPICH raises an error

import sys

from mpi4py import MPI

comm = MPI.COMM_WORLD
data = comm.bcast([1, 2] if comm.rank == 0 else None)
if len(data) < 3:  # -
    sys.exit("too few")  # - failure
comm.Barrier()
