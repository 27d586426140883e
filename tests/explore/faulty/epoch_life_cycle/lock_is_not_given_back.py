"""A table under a lock. Faulty: the second rank forgets to unlock."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
table = np.zeros(4)
window = MPI.Win.Create(table, disp_unit=8, comm=comm)

window.Lock(0)  # = epoch, deadlock
window.Put(np.full(1, float(rank)), 0, target=rank)
if rank == 0:  # -
    window.Unlock(0)  # -
window.Unlock(0)  # +
comm.Barrier()  # = epoch, deadlock
window.Free()  # = epoch, deadlock
print(rank)
