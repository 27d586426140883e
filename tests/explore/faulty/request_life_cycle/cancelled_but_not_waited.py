"""A receive is cancelled. Faulty: nobody waits for that."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 1:
    late = comm.Irecv(bytearray(8), source=0, tag=77)  # = unfinished-request
    print(comm.recv(source=0))
    late.Cancel()
    late.Wait()  # +
else:
    comm.send("news", dest=1)
