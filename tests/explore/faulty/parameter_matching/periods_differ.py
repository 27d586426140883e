"""Ranks make a grid. Faulty: rank 0 wants no ends, and the others want some."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
dims = MPI.Compute_dims(comm.size, 2)
periods = [True, comm.rank != 0]  # -
periods = [True, False]  # +
grid = comm.Create_cart(dims, periods=periods)  # = collective-mismatch
up, down = grid.Shift(0, 1)
grid.sendrecv(grid.coords, dest=down, source=up)
grid.Free()
