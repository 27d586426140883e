"""A ready send. Faulty: nothing says that its receive has begun, although the receiver is faster as a rule."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
READY, DATA = 1, 2
data = np.zeros(4)
if comm.rank == 0:
    comm.Recv(data, source=1, tag=DATA)  # -
    request = comm.Irecv(data, source=1, tag=DATA)  # +
    comm.send(None, dest=1, tag=READY)  # +
    request.Wait()  # +
    assert data.all()
else:
    comm.recv(source=0, tag=READY)  # +
    comm.Rsend(np.ones(4), dest=0, tag=DATA)  # = buffering
