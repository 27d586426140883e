"""A channel is used twice. Faulty: the receiver does not wait for the second time."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
data = np.full(3, comm.rank)
channel = comm.Send_init(data, dest=1) if comm.rank == 0 else comm.Recv_init(data, source=0)  # = unfinished-request
for step in range(2):
    channel.Start()  # = unfinished-request
    if comm.rank == 0 or step == 0:  # -
        channel.Wait()  # -
    channel.Wait()  # +
channel.Free()  # = unfinished-request
