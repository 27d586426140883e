"""Some ranks make a communicator. Faulty: they don't agree who."""
# 4 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
world = comm.Get_group()
members = [0, 1, 2] if comm.rank < 2 else [0, 1, 2, 3]  # -
members = [0, 1, 2]  # +
group = world.Incl(members)
part = comm.Create(group)  # = collective-mismatch
if part != MPI.COMM_NULL:
    part.barrier()
    part.Free()
for g in (group, world):
    g.Free()
