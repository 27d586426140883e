"""Attributes of a communicator come and go. Faulty: their keys stay."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
keys = [MPI.Comm.Create_keyval() for _ in range(3)]  # = leaked-handle
for key in keys:
    comm.Set_attr(key, "x")
for key in keys:
    comm.Delete_attr(key)
    MPI.Comm.Free_keyval(key)  # +
