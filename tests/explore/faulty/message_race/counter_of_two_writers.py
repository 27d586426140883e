"""A server of one number. Faulty: get may come before set."""
# 3 ranks; MPICH says nothing, mostly

from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    value = None
    for _ in range(2):
        status = MPI.Status()
        command, argument = comm.recv(status=status)
        if command == "set":
            value = argument
            comm.send(None, dest=status.source)  # +
        else:
            comm.send(value, dest=status.source)
elif comm.rank == 1:
    comm.send(("set", 5), dest=0)
    comm.recv(source=0)  # +
    comm.send("it is set", dest=2)  # +
else:
    comm.recv(source=1)  # +
    comm.send(("get", None), dest=0)
    assert comm.recv(source=0) == 5  # = failure
