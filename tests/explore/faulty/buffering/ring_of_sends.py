"""A value goes round a ring. Faulty: all ranks send to the right before any of them receives."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
value = rank

for _ in range(size - 1):
    comm.send(value, dest=(rank + 1) % size)  # - buffering
    value = comm.recv(source=(rank - 1) % size)  # -
    value = comm.sendrecv(value, (rank + 1) % size, source=(rank - 1) % size)  # +
print(rank, value)
