"""Two threads receive. Faulty: into one array."""
# 2 ranks; MPICH says nothing

import threading

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
other = 1 - comm.rank
shared = np.zeros(2)


def receive(tag):
    buffer = shared  # -
    buffer = np.zeros(2)  # +
    comm.Recv(buffer, source=other, tag=tag)  # = buffer-race


threads = [threading.Thread(target=receive, args=(tag,)) for tag in (1, 2)]
for thread in threads:
    thread.start()
for tag in (1, 2):
    comm.Send(np.ones(2), dest=other, tag=tag)
for thread in threads:
    thread.join()
print("ok")
