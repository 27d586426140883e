"""A lock round each of two accesses. Faulty: the rank locks again what it has locked."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
memory = np.zeros(2)
window = MPI.Win.Create(memory, disp_unit=8, comm=comm)

if rank == 1:
    window.Lock(0)
    window.Put(np.ones(1), 0, target=0)
    window.Unlock(0)  # +
    window.Lock(0)  # = epoch
    window.Put(np.ones(1), 0, target=1)
    window.Unlock(0)
comm.Barrier()
window.Free()
