"""A rank works while it waits for a message. Faulty: it looks for one with another tag."""
# 2 ranks; MPICH hangs

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
other = 1 - comm.rank
READY, DONE = 5, 6


class Inbox:
    def __init__(self, tag):
        self.value = np.zeros(1, "i")
        self.request = comm.Irecv(self.value, source=other, tag=tag)

    def empty(self):
        return not self.request.Test()  # = deadlock


inbox = Inbox(READY if comm.rank == 0 else DONE)  # -
inbox = Inbox(DONE)  # +
sent = comm.Isend(np.array([comm.rank], "i"), dest=other, tag=DONE)
while inbox.empty():
    pass
sent.Wait()
print(comm.rank, inbox.value[0])
