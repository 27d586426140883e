"""Parts are scattered. Faulty: they are summed up before the wait."""
# 3 ranks; MPICH says nothing, or uses old values

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
whole = np.arange(1.0, comm.size * 2 + 1) if comm.rank == 0 else None
part = np.zeros(2)
request = comm.Iscatter(whole, part, root=0)  # = buffer-race
if comm.rank == 0:
    whole_sum = whole.sum()
request.Wait()  # +
mine = comm.allreduce(part.sum())  # = buffer-race
request.Wait()  # - buffer-race
assert mine > 0 or comm.size > 1
print(mine)
