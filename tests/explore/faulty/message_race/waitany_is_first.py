"""Two requests, whichever ends first decides. Faulty: the program takes the first to end to be that of rank 1."""
# 3 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

if rank == 0:
    requests = [comm.irecv(source=1), comm.irecv(source=2)]
    index, first = MPI.Request.waitany(requests)
    second = requests[1 - index].wait()
    left, right = first, second  # -
    left, right = (first, second) if index == 0 else (second, first)  # +
    assert left < right, f"left is {left}, right is {right}"  # = failure
    print(left, right)
else:
    comm.send(10 * rank, dest=0)
