"""Blocks are gathered. Faulty: with their edges, so that each block is written over the end of the one before."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
width = 4
mine = np.full(width, float(comm.rank))
step = width - 1  # -
step = width  # +
places = [step * rank for rank in range(comm.size)]
whole = np.zeros(places[-1] + width)
comm.Gatherv(mine, [whole, [width] * comm.size, places, MPI.DOUBLE], root=0)  # - buffer-race
comm.Gatherv(mine, [whole, [width] * comm.size, places, MPI.DOUBLE], root=0)  # +
if comm.rank == 0:
    print(whole[0], whole[-1])
