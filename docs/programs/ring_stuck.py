"""A value goes round a ring; but each rank sends before it receives, with a send that waits for its receiver."""

from mpi4py import MPI

comm = MPI.COMM_WORLD


def pass_on(value):
    comm.ssend(value, dest=(comm.rank + 1) % comm.size)
    return comm.recv(source=(comm.rank - 1) % comm.size)


print(pass_on(comm.rank))
