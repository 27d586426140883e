"""The inner part of a grid is sent. Faulty: it is received into a smaller one."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
full = np.arange(36.0).reshape(6, 6)
inner = MPI.DOUBLE.Create_subarray([6, 6], [4, 4], [1, 1]).Commit()
edge = MPI.DOUBLE.Create_subarray([6, 6], [4, 3], [1, 1]).Commit()  # -
try:
    if comm.rank == 0:
        comm.Ssend([full, inner], dest=1)
    else:
        full[:] = 0
        comm.Recv([full, edge], source=0)  # - truncation
        comm.Recv([full, inner], source=0)  # +
        assert full[1, 1] == 7
finally:
    inner.Free()
    edge.Free()  # -
