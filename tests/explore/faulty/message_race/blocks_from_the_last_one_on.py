"""Rank 1 posts a receive for each block of a table, then tells rank 0. Faulty: that begins with the last block."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
blocks = [np.full(4, 10.0 * number) for number in range(3)]

if comm.rank == 0:
    blocks.reverse()  # -
    comm.recv(source=1)
    for block in blocks:
        comm.Send(block, dest=1)
else:
    table = np.empty((3, 4))
    requests = [comm.Irecv(row, source=0) for row in table]
    comm.send("all receives are posted", dest=0)
    MPI.Request.Waitall(requests)
    assert [*table[:, 0]] == [0, 10, 20], table  # = failure
    print("the table is complete")
