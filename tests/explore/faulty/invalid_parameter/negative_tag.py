"""Blocks of work have their number as tag. Faulty: numbers begin below zero."""
# 2 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
BLOCKS = 4

for block in range(BLOCKS):
    tag = block - 1  # -
    tag = block  # +
    if rank == 0:
        comm.send([block] * 3, dest=1, tag=tag)  # = invalid-argument
    else:
        print(comm.recv(source=0, tag=block))
