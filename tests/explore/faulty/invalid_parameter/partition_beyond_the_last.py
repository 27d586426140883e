"""A field is sent in parts. Faulty: these are counted from one on."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
PARTS = 3
data = np.zeros(PARTS)
if comm.rank == 0:
    send = comm.Psend_init(data, PARTS, 1)
    send.Start()
    first = 1  # -
    first = 0  # +
    for part in range(first, first + PARTS):
        send.Pready(part)  # = invalid-argument
    send.Wait()
    send.Free()
else:
    recv = comm.Precv_init(data, PARTS, 0, tag=0)
    recv.Start()
    while not all(recv.Parrived(part) for part in range(PARTS)):
        pass
    recv.Wait()
    recv.Free()
