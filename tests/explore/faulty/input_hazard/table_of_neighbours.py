"""Ranks exchange numbers as a table says. Faulty: in the table, one does not name another."""
# 3 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
edges = {0: [1, 2], 1: [0], 2: [0, 1]}  # -
edges = {0: [1, 2], 1: [0, 2], 2: [0, 1]}  # +
sends = [comm.isend(comm.rank, dest=r) for r in edges[comm.rank]]
values = {r: comm.recv(source=r) for r in edges[comm.rank]}  # = deadlock
MPI.Request.waitall(sends)
