"""A persistent receive in a loop. Faulty: it is started again before it was waited for."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
value = np.zeros(1)

request = comm.Send_init(value, dest=1) if rank == 0 else comm.Recv_init(value, source=0)
for step in range(3):
    if rank == 0:
        value[0] = step
    request.Start()  # = invalid-argument
    request.Wait()  # +
request.Wait()  # -
request.Free()
print(rank, value[0])
