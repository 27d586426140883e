"""lossy-mpi: collective operations by messages, of ranks that may leave, with time limits."""

from __future__ import annotations

from lossy_mpi.pool import Pool
from lossy_mpi.util import reduce_sum, zero_constructor
from mpi4py import MPI

if __name__ == "__main__":
    comm = MPI.COMM_WORLD
    pool = Pool(comm, 0, 2.0, 100)
    pool.ready()
    pool.sync_mask()
    total = pool.allreduce(comm.rank + 1, zero_constructor, reduce_sum)
    print(comm.rank, total)
    if comm.rank == comm.size - 1:
        pool.drop()
    pool.sync_mask()
    if comm.rank == 0:
        print([status.name for status in pool.mask], pool.done)
