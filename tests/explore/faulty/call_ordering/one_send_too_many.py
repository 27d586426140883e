"""Rank 0 hands rows out and stops the others with None. Faulty: it stops each of them twice."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()

if rank == 0:
    for row in range(8):
        comm.send([row] * 4, dest=1 + row % (size - 1))
    for worker in range(1, size):
        comm.send(None, dest=worker)
        comm.send(None, dest=worker)  # - unreceived-message
    print("sum:", sum(comm.recv(source=worker) for worker in range(1, size)))
else:
    mine = 0
    while (row := comm.recv(source=0)) is not None:
        mine += sum(row)
    comm.send(mine, dest=0)
