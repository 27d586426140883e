"""mpilock: ranks read a file together and write it in turn."""

from __future__ import annotations

import mpilock
from mpi4py import MPI

if __name__ == "__main__":
    comm = MPI.COMM_WORLD
    with mpilock.sync() as controller:
        if comm.rank == 0:
            with controller.write(), open("counter.txt", "w") as file:
                file.write("0")
        comm.barrier()
        for _ in range(3):
            with controller.write():
                with open("counter.txt") as file:
                    count = int(file.read())
                with open("counter.txt", "w") as file:
                    file.write(str(count + 1))
        comm.barrier()
        with controller.read(), open("counter.txt") as file:
            print(file.read())
        comm.barrier()
        with controller.single_write() as handle:
            print(bool(handle) == (comm.rank == 0))
