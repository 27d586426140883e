"""Two groups become one. Faulty: that is not freed."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI

world = MPI.COMM_WORLD
half = world.Split(world.rank % 2)
inter = MPI.Intracomm(half).Create_intercomm(0, world, 1 - world.rank % 2)
both = inter.Merge(high=bool(world.rank % 2))  # = leaked-handle
assert both.allreduce(1) == 4
made = [half, inter]  # -
made = [half, inter, both]  # +
for c in made:
    c.Disconnect()
