"""Heat in a rod, by finite differences: each rank has a part of it, and its neighbours' edges from them.

mpirun -n 4 python heat.py 64 200
"""

import sys

import numpy as np
from mpi4py import MPI

COMM = MPI.COMM_WORLD


class Rod:
    """The part of one rank, with a cell of each neighbour at its ends."""

    steps = 0

    def __init__(self, cells, comm=COMM):
        self.comm = comm
        share, rest = divmod(cells, comm.size)
        self.size = share + (comm.rank < rest)
        self.first = comm.rank * share + min(comm.rank, rest)
        self.values = np.zeros(self.size + 2)
        if self.first <= cells // 2 < self.first + self.size:
            self.values[1 + cells // 2 - self.first] = 100.0

    def exchange(self):
        left = self.comm.rank - 1 if self.comm.rank else MPI.PROC_NULL
        right = self.comm.rank + 1 if self.comm.rank < self.comm.size - 1 else MPI.PROC_NULL
        self.comm.Sendrecv(self.values[1:2], left, recvbuf=self.values[-1:], source=right)
        self.comm.Sendrecv(self.values[-2:-1], right, recvbuf=self.values[:1], source=left)

    def step(self, rate=0.25):
        self.exchange()
        inner = self.values[1:-1]
        change = rate * (self.values[:-2] - 2 * inner + self.values[2:])
        self.values[1:-1] = inner + change
        Rod.steps += 1
        return np.abs(change).max(initial=0.0)


def main(cells, steps):
    rod = Rod(cells)
    largest = np.zeros(1)
    for _ in range(steps):
        COMM.Allreduce(np.array([rod.step()]), largest, op=MPI.MAX)
        if largest[0] < 1e-3:
            break
    counts = COMM.allgather(rod.size)
    whole = np.zeros(cells) if COMM.rank == 0 else None
    COMM.Gatherv(rod.values[1:-1].copy(), [whole, counts] if COMM.rank == 0 else None)
    if COMM.rank == 0:
        print(f"{Rod.steps} steps, largest change {largest[0]:.6f}, heat {whole.sum():.6f}")
        print(" ".join(f"{value:.4f}" for value in whole[:: max(1, cells // 8)]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ("64", "200")))
