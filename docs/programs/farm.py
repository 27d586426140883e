"""A master gives jobs to workers. One job is urgent, and its result is to be the first: is it, in every order?"""

from mpi4py import MPI

comm = MPI.COMM_WORLD

if comm.rank == 0:
    jobs = [3, 5, 8]
    for worker in range(1, comm.size):
        comm.send(jobs.pop(0), dest=worker)
    results = []
    while len(results) < comm.size - 1:
        results.append(comm.recv(source=MPI.ANY_SOURCE))
    assert results[0] == 9, f"the urgent one came late: {results}"
    print("results", results)
else:
    job = comm.recv(source=0)
    comm.send(job**2, dest=0)
