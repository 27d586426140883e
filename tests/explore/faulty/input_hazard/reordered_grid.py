"""Tiles on a grid. Faulty: MPI may reorder the ranks of the grid, and the tiles were made for those of the world."""
# 4 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD
tile = np.full(3, float(world.rank))
grid = world.Create_cart([2, 2], reorder=True)
tile[:] = grid.rank  # +
row, column = grid.Get_coords(grid.rank)
assert tile[0] == 2 * row + column  # = failure
grid.Free()
