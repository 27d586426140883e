"""Values are read from each rank in turn. Faulty: it unlocks another rank than it locked."""
# 3 ranks; MPICH crashes

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
mine = np.full(1, rank * 1.5)
window = MPI.Win.Create(mine, disp_unit=8, comm=comm)
value, total = np.empty(1), 0.0

if rank == 0:
    for target in range(1, size):
        window.Lock(target, MPI.LOCK_SHARED)
        window.Get(value, target)
        window.Unlock(target - 1)  # - epoch
        window.Unlock(target)  # +
        total += value[0]
    print(total)
comm.Barrier()
window.Free()
