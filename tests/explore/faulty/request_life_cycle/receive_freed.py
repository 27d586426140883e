"""Rank 0 awaits numbers. Faulty: it frees the request in place of waiting."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
box = np.zeros(3)
if comm.rank == 0:
    request = comm.Irecv(box, source=1)  # = unfinished-request
    request.Free()  # - unfinished-request
    comm.Barrier()
    request.Wait()  # +
else:
    comm.Send(np.ones(3), dest=0)
    comm.Barrier()
