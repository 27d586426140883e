"""Temperatures are gathered. Faulty: the root is the number of ranks, that is one too high."""
# 3 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
root = size  # -
root = size - 1  # +

temperatures = comm.gather(20.0 + rank, root=root)  # = invalid-argument
if rank == root:
    print(sum(temperatures) / size)
