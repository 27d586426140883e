"""Particles. Faulty: they are received as three numbers each."""
# 2 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

particle = np.dtype([("id", "i8"), ("x", "f8"), ("y", "f8")])
kind = MPI.Datatype.Create_struct([1, 2], [0, 8], [MPI.INT64_T, MPI.DOUBLE]).Commit()
comm = MPI.COMM_WORLD
if comm.rank == 0:
    cloud = np.zeros(4, dtype=particle)
    comm.Send([cloud, 4, kind], dest=1, tag=6)  # = type-mismatch
else:
    plain = np.zeros((4, 3))  # -
    comm.Recv([plain, MPI.DOUBLE], source=0, tag=6)  # - type-mismatch
    cloud = np.zeros(4, dtype=particle)  # +
    comm.Recv([cloud, 4, kind], source=0, tag=6)  # +
    print("received")
kind.Free()
