"""A thread completes a request of the program. Faulty: not if its job fails."""
# 2 ranks; MPICH hangs

import threading

from mpi4py import MPI

comm = MPI.COMM_WORLD


def job(request, work):
    try:
        work()
        request.Complete()  # -
    except ValueError:
        pass
    finally:  # +
        request.Complete()  # +


def fails():
    if comm.rank == 1:
        raise ValueError


request = MPI.Grequest.Start(None, None, None)  # = deadlock
threading.Thread(target=job, args=(request, fails)).start()
request.Wait()  # = deadlock
