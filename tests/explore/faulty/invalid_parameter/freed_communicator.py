"""Rows of ranks have a communicator each. Faulty: it is used after it was freed."""
# 4 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
row = comm.Split(color=rank // 2, key=rank)

total = row.allreduce(rank)
row.Free()  # -
largest = row.allreduce(rank, op=MPI.MAX)  # = invalid-argument
row.Free()  # +
print(total, largest)
