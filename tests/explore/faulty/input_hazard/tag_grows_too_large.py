"""Messages have the number of a cell as tag. Faulty: real cell numbers are above what a tag can be."""
# 2 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
cells = [12, 900, 3_000_000_000]

for position, cell in enumerate(cells):
    tag = cell  # -
    tag = position  # +
    if rank == 0:
        comm.send({"cell": cell}, dest=1, tag=tag)  # = invalid-argument
    else:
        print(comm.recv(source=0, tag=tag)["cell"])  # = invalid-argument
