"""Spikes are sent without waiting. Faulty: nobody ends the requests of the sends."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()

requests = []
for other in range(size):
    if other != rank:
        requests.append(comm.isend([rank, other], dest=other))  # = unfinished-request
received = [comm.recv(source=other) for other in range(size) if other != rank]
MPI.Request.waitall(requests)  # +
print(rank, received)
