"""Pairs of ranks swap numbers in the world. Faulty: a rank of the pair's communicator is taken for one of the world."""
# 4 ranks; MPICH hangs

from mpi4py import MPI

world = MPI.COMM_WORLD
half = world.Split(world.rank % 2)
pair = half.Split(0, key=-half.rank)
group, everyone = pair.Get_group(), world.Get_group()
partner = 1 - pair.rank
there = partner  # -
there = group.Translate_ranks([partner], everyone)[0]  # +
got = world.sendrecv(10 * world.rank, dest=there, source=there)  # = deadlock
print(world.rank, "has", got)
group.Free()
everyone.Free()
pair.Free()
half.Free()
