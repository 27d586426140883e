"""Two threads receive two fields. Faulty: both with one tag."""
# 2 ranks; MPICH says nothing

import threading

from mpi4py import MPI

comm = MPI.COMM_WORLD
assert MPI.Query_thread() == MPI.THREAD_MULTIPLE
names = ["pressure", "velocity"]
got = {}


def receive(name, tag):
    got[name] = comm.recv(source=0, tag=tag)


if comm.rank == 0:
    for number, name in enumerate(names):
        comm.send(name, dest=1, tag=0)  # -
        comm.send(name, dest=1, tag=number)  # +
else:
    threads = [threading.Thread(target=receive, args=(name, 0)) for name in names]  # -
    threads = [threading.Thread(target=receive, args=(name, k)) for k, name in enumerate(names)]  # +
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(key == value for key, value in got.items()), got  # = failure
