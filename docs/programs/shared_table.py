"""Each host has one table, in memory that its ranks share; the first rank of the host fills it, and all read it."""

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
host = comm.Split_type(MPI.COMM_TYPE_SHARED)

window = MPI.Win.Allocate_shared(1000 * 8 if host.rank == 0 else 0, 8, comm=host)
table = np.frombuffer(window.Shared_query(0)[0])
window.Fence()
if host.rank == 0:
    table[:] = np.sqrt(np.arange(1000))
window.Fence()
print(f"rank {comm.rank} is {host.rank} of {host.size} on {MPI.Get_processor_name()}, and reads {table[289]:g}")
del table
window.Free()
host.Free()
