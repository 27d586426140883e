"""A message and a sum go to rank 2. Faulty: it awaits the message first."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
mine, total = np.ones(1), np.zeros(1)
if comm.rank == 1:
    comm.Reduce(mine, None, root=2)  # - buffering
    comm.Ssend(mine, dest=2)
    comm.Reduce(mine, None, root=2)  # +
elif comm.rank == 2:
    comm.Recv(total, source=1)  # = buffering
    comm.Reduce(mine, total, root=2)
else:
    comm.Reduce(mine, None, root=2)
