"""A context manager waits for a message. Faulty: not if its block raises."""
# 2 ranks; MPICH says nothing

import contextlib

from mpi4py import MPI

comm = MPI.COMM_WORLD
other = 1 - comm.rank


@contextlib.contextmanager
def receiving(source):
    request = comm.irecv(source=source, tag=4)  # = unfinished-request
    try:  # +
        yield request  # +
    finally:  # +
        request.wait()  # +
    yield request  # -
    request.wait()  # -


with contextlib.suppress(KeyError), receiving(other):
    comm.send("data", dest=other, tag=4)
    if comm.rank == 1:
        raise KeyError("skip")
