"""A message and a sum. Faulty: the message is sent before the sum, and received after it."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
last = comm.size - 1
if comm.rank == 0:
    comm.send("note", dest=last)  # - buffering
    total = comm.reduce(1, root=0)
    comm.send("note", dest=last)  # +
elif comm.rank == last:
    comm.reduce(1, root=0)
    note = comm.recv(source=0)
else:
    comm.reduce(1, root=0)
