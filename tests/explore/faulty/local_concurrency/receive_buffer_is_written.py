"""A buffer is cleared after the receive into it has begun. Faulty: that may wipe out what has arrived."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
field = np.ones(5)

if rank == 0:
    field[:] = 0  # +
    request = comm.Irecv(field, source=1)  # = buffer-race
    field[:] = 0  # - buffer-race
    request.Wait()  # = buffer-race
    print(field.sum())
else:
    comm.Send(field * 3, dest=0)
