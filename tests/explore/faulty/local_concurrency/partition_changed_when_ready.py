"""A field is sent row by row. Faulty: a row is changed that was ready."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
parts = np.zeros((4, 3))
if comm.rank == 0:
    send = comm.Psend_init(parts, 4, 1, tag=0)
    send.Start()
    for k in range(4):
        parts[k] = k  # = buffer-race
        send.Pready(k)  # = buffer-race
        if k:  # +
            pass  # +
        parts[k - 1, 0] += 1  # - buffer-race
    send.Wait()
    send.Free()
else:
    recv = comm.Precv_init(parts, 4, 0, tag=0)
    recv.Start()
    recv.Wait()
    recv.Free()
