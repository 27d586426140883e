"""A send, a barrier, a receive. Faulty: the send has to end before its receiver gets to the receive."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
state = list(range(200))

if rank == 0:
    comm.Barrier()  # +
    comm.send(state, dest=1)  # = buffering
comm.Barrier()  # - buffering
if rank == 1:
    comm.Barrier()  # +
    print(len(comm.recv(source=0)))
