"""Heat in a rod: each rank has a part of it. mpirun -n 4 python halo.py"""

import sys

from mpi4py import MPI

comm = MPI.COMM_WORLD
cells = [100.0 if comm.rank == 0 else 0.0] + [0.0] * 3


def step(values, left=comm.rank - 1, right=comm.rank + 1):
    """Exchange the edges with the neighbours, then let heat flow."""
    first, last = values[0], values[-1]
    if left >= 0:
        comm.send(values[0], dest=left)
        first = comm.recv(source=left)
    if right < comm.size:
        comm.send(values[-1], dest=right)
        last = comm.recv(source=right)
    padded = [first, *values, last]
    return [b + 0.25 * (a - 2 * b + c) for a, b, c in zip(padded, values, padded[2:], strict=False)]


for _ in range(int(sys.argv[1])):
    cells = step(cells)
print(f"part {comm.rank} has {sum(cells):.3f}")
comm.barrier()
total = comm.reduce(sum(cells))
if comm.rank == 0:
    print(f"together {total:.3f}")
