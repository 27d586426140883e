"""Results come to rank 0, which sends its own to itself as well. Faulty: the send to itself comes first."""
# 3 ranks; MPICH says nothing

from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
result = {"rank": rank, "value": rank**2}

if rank == 0:
    comm.send(result, dest=0)  # - buffering
    request = comm.isend(result, dest=0)  # +
    results = [comm.recv(source=r) for r in range(size)]
    request.wait()  # +
    print(sum(r["value"] for r in results))
else:
    comm.send(result, dest=0)
