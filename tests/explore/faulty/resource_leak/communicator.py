"""Pairs of ranks have a communicator in each round. Faulty: none is freed."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

for shift in range(2):
    pair = comm.Split(color=(rank + shift) // 2, key=rank)  # = leaked-handle
    print(rank, pair.allreduce(rank))
    pair.Free()  # +
