"""Rank 1 begins when it is told so. Faulty: rank 0 tells it behind a scan in which both are."""
# 2 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    comm.scan(1)  # - buffering
    comm.send("go", dest=1)
    comm.scan(1)  # +
else:
    comm.recv(source=0)  # = buffering
    comm.scan(1)
