"""A window's hints are looked at. Faulty: they are not freed."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
hints = MPI.Info.Create()
hints["no_locks"] = "true"
window = MPI.Win.Allocate(8, info=hints, comm=comm)
hints.Free()
used = window.Get_info()  # = leaked-handle
names = list(used)
used.Free()  # +
window.Free()
