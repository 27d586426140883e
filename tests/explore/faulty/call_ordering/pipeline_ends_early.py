"""A pipeline of three stages. Faulty: the last stage waits for one more item than the first one sends."""
# 3 ranks; MPICH hangs

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
ITEMS = 5

if rank == 0:
    for item in range(ITEMS):
        comm.send(item * item, dest=1)
elif rank == 1:
    for _ in range(ITEMS):
        comm.send(comm.recv(source=0) + 1, dest=2)
else:
    results = []
    count = ITEMS + 1  # -
    count = ITEMS  # +
    for _ in range(count):
        results.append(comm.recv(source=1))  # = deadlock
    print("results:", results)
