"""One rank has numbers of one kind, and another of another. Faulty: each receives the kind that it gives."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
out, into = bytearray(8), bytearray(8)
kinds = [MPI.FLOAT, MPI.INT]
mine = [kinds[comm.rank]] * 2
theirs = mine  # -
theirs = kinds  # +
comm.Alltoallw([out, ([1, 1], [0, 4]), mine], [into, ([1, 1], [0, 4]), theirs])  # = type-mismatch
