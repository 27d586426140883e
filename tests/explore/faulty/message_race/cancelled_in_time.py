"""Rank 0 takes a receive back. Faulty: it is sure that this was in time."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    note = np.zeros(1, "i")
    request = comm.Irecv(note, source=1, tag=8)
    comm.recv(source=1, tag=1)
    request.Cancel()
    status = MPI.Status()
    request.Wait(status)
    assert status.Is_cancelled()  # - failure
    comm.send("no" if status.Is_cancelled() else "yes", dest=1)  # +
    if status.Is_cancelled():  # +
        comm.Recv(note, source=1, tag=8)  # +
else:
    comm.Send(np.array([5], "i"), dest=0, tag=8)
    comm.send("over", dest=0, tag=1)
    comm.recv(source=0)  # +
