"""A grid is cut into rows and columns. Faulty: the columns are not freed."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
grid = comm.Create_cart([2, 2])
rows, cols = (grid.Sub([keep, not keep]) for keep in (False, True))  # = leaked-handle
total = cols.allreduce(rows.allreduce(comm.rank))
assert total == 6
made = [grid, rows]  # -
made = [grid, rows, cols]  # +
for c in made:
    c.Free()
