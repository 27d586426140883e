"""Ranks find out by a barrier that all messages came. Faulty: their sends do not wait for receivers."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
TAG = 9


def sparse_exchange(outgoing):
    pending = [comm.isend(v, dest=d, tag=TAG) for d, v in outgoing.items()]  # - unreceived-message
    pending = [comm.issend(v, dest=d, tag=TAG) for d, v in outgoing.items()]  # +
    barrier, incoming = None, []
    while True:
        status = MPI.Status()
        if comm.iprobe(source=MPI.ANY_SOURCE, tag=TAG, status=status):
            incoming.append(comm.recv(source=status.source, tag=TAG))
        if barrier is None:
            if MPI.Request.testall(pending)[0]:
                barrier = comm.Ibarrier()
        elif barrier.Test():
            return incoming


sparse_exchange({(comm.rank + 1) % comm.size: "edge"})
