"""A state is sent in each step. Faulty: it is updated between start and wait."""
# 2 ranks; MPICH says nothing, or sends the wrong values

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
state = np.ones(4)
if comm.rank == 0:
    send = comm.Send_init(state, dest=1)  # = buffer-race
    for step in range(3):
        send.Start()  # = buffer-race
        state *= 2  # - buffer-race
        send.Wait()  # = buffer-race
        state *= 2  # +
    send.Free()
else:
    for step in range(3):
        comm.Recv(state, source=0)
    print("ok")
