"""A barrier while each rank computes. Faulty: its request is never completed."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()

request = comm.Ibarrier()  # = unfinished-request
work = sum(n * n for n in range(100 * (rank + 1)))
request.Wait()  # +
print(comm.reduce(work, root=0))
