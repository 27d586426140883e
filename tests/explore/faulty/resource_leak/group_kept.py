"""A team in each step. Faulty: its group stays."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
for step in range(3):
    everybody = comm.Get_group()
    pair = everybody.Incl([0, 1])  # = leaked-handle
    team = comm.Create(pair)
    if team != MPI.COMM_NULL:
        team.Barrier()
        team.Free()
    pair.Free()  # +
    everybody.Free()
print("done")
