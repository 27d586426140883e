"""Parameters from the leader. Faulty: ranks have different ones."""
# 3 ranks; MPICH hangs or says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
leader = 0  # +
leader = comm.rank // 2  # -
params = np.zeros(3)
if comm.rank == 0:
    params[:] = 1, 2, 3
comm.Bcast(params, root=leader)  # = collective-mismatch
print(params.sum())
