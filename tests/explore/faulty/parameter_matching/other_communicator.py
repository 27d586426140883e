"""A message on a duplicate. Faulty: it is sent on the one communicator, and received on the other."""
# 2 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
library = comm.Dup()

if rank == 0:
    comm.send("state", dest=1, tag=4)  # -
    library.send("state", dest=1, tag=4)  # +
else:
    print(library.recv(source=0, tag=4))  # = deadlock
library.Free()  # = deadlock
