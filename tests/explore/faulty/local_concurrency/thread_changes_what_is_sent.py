"""A thread advances the state while it is sent. Faulty: the state itself is sent, and no copy."""
# 2 ranks; MPICH says nothing

import threading

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
state = np.zeros(4)
lock = threading.Lock()


def advance():
    with lock:
        state[:] += 1.0


if comm.rank == 0:
    request = comm.Isend(state, dest=1)  # - buffer-race
    request = comm.Isend(state.copy(), dest=1)  # +
    thread = threading.Thread(target=advance)
    thread.start()
    request.Wait()
    thread.join()
else:
    comm.Recv(state, source=0)
