"""Each rank tells its right neighbour. Faulty: the last one has no right neighbour, and does not wrap round."""
# 4 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()

comm.send(f"from {rank}", dest=rank + 1)  # - invalid-argument
request = comm.isend(f"from {rank}", dest=(rank + 1) % size)  # +
print(comm.recv(source=(rank - 1) % size))
request.wait()  # +
