"""A result is put into rank 0's window. Faulty: there is no epoch."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
result = np.zeros(2)
window = MPI.Win.Create(result, disp_unit=8, comm=comm)

if rank == 1:
    window.Lock(0)  # +
    window.Put(np.ones(1), 0, target=1)  # = epoch
    window.Unlock(0)  # +
comm.Barrier()
print(rank, len(result))
window.Free()
