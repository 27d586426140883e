"""Rank 0 sums up what comes, and then wants rank 2's summary. Faulty: its wildcard may take that summary."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
VALUE, SUMMARY = 1, 2

if rank == 0:
    value = comm.recv(source=MPI.ANY_SOURCE, tag=MPI.ANY_TAG)  # -
    value = comm.recv(source=MPI.ANY_SOURCE, tag=VALUE)  # +
    summary = comm.recv(source=2, tag=SUMMARY)  # = deadlock
    print(value, summary)
elif rank == 1:
    comm.send(3.5, dest=0, tag=VALUE)
else:
    comm.send({"cells": 10}, dest=0, tag=SUMMARY)
