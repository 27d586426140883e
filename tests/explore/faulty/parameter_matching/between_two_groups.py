"""Clients tell a server who they are. Faulty: they give floats, and it wants integers."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD
server = world.rank == 0
local = world.Split(0 if server else 1)
inter = MPI.Intracomm(local).Create_intercomm(0, world, 1 if server else 0)
if server:
    counts = np.zeros(2, "i8")
    inter.Gather(None, counts, root=MPI.ROOT)  # = type-mismatch
else:
    inter.Gather(np.array([world.rank], "f8"), None, root=0)  # - type-mismatch
    inter.Gather(np.array([world.rank], "i8"), None, root=0)  # +
inter.Free()
local.Free()
