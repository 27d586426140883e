"""Rank 0 reads a configuration. Faulty: if the file is not there, it returns, and the others wait for it."""
# 3 ranks; MPICH hangs

import pathlib
import sys

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
settings = {}

if rank == 0:
    path = "there_is_no_such_file.txt"
    if pathlib.Path(path).exists():
        settings = {"text": pathlib.Path(path).read_text()}
    else:
        print("no settings", file=sys.stderr)
        sys.exit(0)  # -
settings = comm.bcast(settings, root=0)  # = deadlock
print(rank, settings)
