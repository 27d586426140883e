"""pshmem: an array in shared memory, and a lock of all ranks."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from pshmem import MPILock, MPIShared

if __name__ == "__main__":
    comm = MPI.COMM_WORLD
    with MPIShared((4,), np.int64, comm) as shared:
        values, offset = (np.arange(4), (0,)) if comm.rank == 0 else (None, None)
        shared.set(values, offset, fromrank=0)
        print(comm.rank, shared[:].tolist())
    with MPILock(comm) as lock:
        lock.lock()
        lock.unlock()
    print("over")
