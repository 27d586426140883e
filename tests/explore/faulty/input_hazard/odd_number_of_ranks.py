"""Ranks work in pairs. Faulty: with an odd number of ranks the last one waits for a partner who is not there."""
# 3 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
partner = rank + 1 if rank % 2 == 0 else rank - 1

if partner < size:  # +
    print(rank, comm.sendrecv(rank, dest=partner, source=partner))  # +
comm.send(rank, dest=partner % size)  # -
print(rank, comm.recv(source=partner % size))  # - deadlock
comm.Barrier()  # = deadlock
