"""Two ranks exchange objects. Faulty: both wait for their sends first."""
# 2 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
other = 1 - comm.rank
request = comm.isend({"r": comm.rank}, dest=other)
request.wait()  # - buffering
data = comm.recv(source=other)
request.wait()  # +
