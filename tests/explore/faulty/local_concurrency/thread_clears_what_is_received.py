"""A thread clears an array, into which a message is received. Faulty: it may do so before the message is there."""
# 2 ranks; MPICH says nothing

import threading

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
data = np.zeros(4)
there = threading.Event()


def clear():
    there.wait()  # +
    data[:] = -1.0


if comm.rank == 0:
    comm.Send(np.ones(4), dest=1)
else:
    request = comm.Irecv(data, source=0)  # = buffer-race
    thread = threading.Thread(target=clear)
    thread.start()
    request.Wait()
    there.set()
    thread.join()
