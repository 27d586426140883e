"""A session is begun. Faulty: it is not ended."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI

session = MPI.Session.Init()  # = leaked-handle
assert session.Get_num_psets() >= 1
session.Finalize()  # +
