"""A sum is begun, and the computing goes on. Faulty: the result is used before the request has ended."""
# 3 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
mine, total = np.array([rank + 1.0]), np.zeros(1)

request = comm.Iallreduce(mine, total, op=MPI.SUM)
share = mine[0] / total[0] if total[0] else 0.0  # -
request.Wait()
share = mine[0] / total[0]  # +
assert abs(comm.allreduce(share) - 1) < 1e-9, "the shares are not all of it"  # = failure
