"""Parts of an array come to rank 0. Faulty: a header and its body by two wildcards may be of two ranks."""
# 3 ranks; MPICH says nothing

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
HEADER, BODY = 10, 11

if rank == 0:
    parts = {}
    status = MPI.Status()
    for _ in range(size - 1):
        owner = comm.recv(source=MPI.ANY_SOURCE, tag=HEADER, status=status)
        body = comm.recv(source=MPI.ANY_SOURCE, tag=BODY)  # -
        body = comm.recv(source=status.Get_source(), tag=BODY)  # +
        parts[owner] = body
    for owner, body in parts.items():
        if body[0] != owner:
            raise ValueError(f"part of {owner} begins with {body[0]}")  # = failure
    print(np.concatenate([parts[k] for k in sorted(parts)]))
else:
    comm.send(rank, dest=0, tag=HEADER)
    comm.send(np.full(3, rank), dest=0, tag=BODY)
