"""Errors are gathered. Faulty: a rank that fails leaves a call out."""
# 3 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
errors = []
try:
    if comm.rank == 1:
        raise ValueError("no data")
    total = comm.allreduce(comm.rank)  # - deadlock, collective-mismatch
except ValueError as problem:
    errors.append(str(problem))
everything = comm.gather(errors)  # = deadlock, collective-mismatch
if comm.rank == 0:
    print([error for part in everything for error in part])
