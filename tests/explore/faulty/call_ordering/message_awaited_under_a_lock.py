"""A thread of each rank serves a table. Faulty: it has the table's lock while it waits."""
# 2 ranks; MPICH hangs

import threading

from mpi4py import MPI

comm = MPI.COMM_WORLD
other = 1 - comm.rank
table = threading.Lock()
results = {}


def serve():
    with table:  # -
        key = comm.recv(source=other, tag=1)  # - deadlock
    key = comm.recv(source=other, tag=1)  # +
    with table:  # +
        results[key] = comm.rank


server = threading.Thread(target=serve)
server.start()
with table:
    results["mine"] = comm.rank
    comm.ssend("theirs", dest=other, tag=1)  # = deadlock
server.join()  # = deadlock
assert len(results) == 2
