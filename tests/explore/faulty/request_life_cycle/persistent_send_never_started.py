"""A persistent send. Faulty: it is waited for, and not started."""
# 2 ranks; MPICH hangs

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
data = np.zeros(3)
if comm.rank == 0:
    send = comm.Send_init(data, dest=1, tag=2)
    for step in range(2):
        data += 1
        send.Start()  # +
        send.Wait()  # = invalid-argument, deadlock
    send.Free()
else:
    for step in range(2):
        comm.Recv(data, source=0, tag=2)  # = deadlock
        print(data[0])
