"""A group tells another its settings. Faulty: all of its ranks say that they are the root."""
# 4 ranks; MPICH says nothing

from mpi4py import MPI

world = MPI.COMM_WORLD
left = world.rank < 2
local = world.Split(int(not left), world.rank)
inter = MPI.Intracomm(local).Create_intercomm(0, world, 2 if left else 0, tag=7)
if left:
    root = MPI.ROOT  # -
    root = MPI.ROOT if local.rank == 0 else MPI.PROC_NULL  # +
    inter.bcast({"dt": 0.1}, root=root)  # = collective-mismatch
else:
    settings = inter.bcast(None, root=0)  # = collective-mismatch
inter.Free()
local.Free()
