"""Jobs are sent to the workers at once. Faulty: with more jobs than workers, ranks that do not exist are sent to."""
# 3 ranks; MPICH raises an error

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
jobs = [4, 2, 7, 1]

requests = []

if rank == 0:
    for number, job in enumerate(jobs):
        comm.send(job, dest=number + 1)  # - invalid-argument
        requests.append(comm.isend(job, dest=1 + number % (size - 1)))  # +
    print(sum(comm.recv() for _ in jobs))
    MPI.Request.waitall(requests)  # +
else:
    for number in range(rank - 1, len(jobs), size - 1):
        comm.send(comm.recv(source=0) ** 2, dest=0)
