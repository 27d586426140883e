"""Work from one rank, and the word to stop from another. Faulty: that may come first."""
# 3 ranks; MPICH says nothing, mostly

from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    comm.send(("work", 4), dest=2)
    done = comm.recv(source=2)  # = deadlock
    comm.send("go on", dest=1)  # +
elif comm.rank == 1:
    comm.recv(source=0)  # +
    comm.send(("stop", None), dest=2)
else:
    while True:
        kind, value = comm.recv(source=MPI.ANY_SOURCE)
        if kind == "stop":
            break
        comm.send(value + 1, dest=0)
