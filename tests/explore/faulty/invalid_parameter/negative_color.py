"""Ranks split by a color. Faulty: one is negative."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
color = comm.rank - 1  # -
color = comm.rank % 2  # +
sub = comm.Split(color, comm.rank)  # = invalid-argument
print(sub.size)
sub.Free()
