"""Pairs are sent with a datatype. Faulty: it is freed in the first step."""
# 2 ranks; MPICH raises an error

import numpy as np
from mpi4py import MPI


def make_pair():
    kind = MPI.Datatype.Create_contiguous(MPI.INT, 2)
    kind.Commit()
    return kind


comm = MPI.COMM_WORLD
pair = make_pair()
data = np.arange(4, dtype="i")
for step in range(2):
    if comm.rank == 0:
        comm.Send([data, 2, pair], dest=1, tag=step)  # = invalid-argument
    else:
        comm.Recv([data, 2, pair], source=0, tag=step)  # = invalid-argument
    pair.Free()  # -
if pair != MPI.DATATYPE_NULL:
    pair.Free()
