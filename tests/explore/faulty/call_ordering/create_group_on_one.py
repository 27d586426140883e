"""Odd ranks make a team. Faulty: one of them does not come."""
# 4 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
everyone = comm.Get_group()
odd = everyone.Incl([1, 3])
everyone.Free()
members = [1]  # -
members = [1, 3]  # +
if comm.rank in members:
    team = comm.Create_group(odd, tag=3)  # = deadlock
    team.Barrier()
    team.Free()
odd.Free()
