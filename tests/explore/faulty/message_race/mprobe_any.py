"""Log lines from all ranks. Faulty: they are taken for sorted."""
# 4 ranks; MPICH says nothing, mostly

from mpi4py import MPI


class Log:
    def __init__(self):
        self.lines = []

    def drain(self, comm, count):
        for _ in range(count):
            message = comm.mprobe(source=MPI.ANY_SOURCE)
            self.lines.append(message.recv())
        self.lines.sort()  # +


def main():
    comm = MPI.COMM_WORLD
    if comm.rank == 0:
        log = Log()
        log.drain(comm, comm.size - 1)
        expected = [(r, "ready") for r in range(1, comm.size)]
        if log.lines != expected:
            raise RuntimeError(f"out of order: {log.lines}")  # = failure
    else:
        comm.send((comm.rank, "ready"), dest=0)


main()
