"""Rank 0 tells its settings, and gives a job. Faulty: the other takes the job first."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
if comm.rank == 0:
    comm.bcast("config", root=0)  # - buffering
    comm.send("job", dest=1)
    comm.bcast("config", root=0)  # +
else:
    job = comm.recv(source=0)  # = buffering
    config = comm.bcast(None, root=0)  # = buffering
