"""A sort of what each rank has: splitters from samples, an exchange of parts, and a check."""

import itertools
import sys

import numpy as np
from mpi4py import MPI


def sort(comm, values):
    values = np.sort(values)
    samples = comm.allgather(values[:: max(1, len(values) // comm.size)].tolist())
    ordered = sorted(value for part in samples for value in part)
    splitters = [ordered[len(ordered) * i // comm.size] for i in range(1, comm.size)]
    parts = np.split(values, np.searchsorted(values, splitters))
    return np.sort(np.concatenate(comm.alltoall(parts)))


def check(comm, values):
    """Whether the last of each rank is not above the first of the next one that has any."""
    ends = comm.allgather((values[0], values[-1]) if len(values) else None)
    ends = [each for each in ends if each is not None]
    return all(a[1] <= b[0] for a, b in itertools.pairwise(ends))


comm = MPI.COMM_WORLD.Dup()
np.random.seed(comm.rank)
mine = np.random.randint(0, 10_000, size=int(sys.argv[1]) + comm.rank)
mine = sort(comm, mine)
total = comm.allreduce(int(mine.sum()))
half = comm.Split(comm.rank % 2, -comm.rank)
sizes = half.gather((comm.rank, len(mine)))
halves = comm.gather(sizes)
ok = check(comm, mine)
if comm.rank == 0:
    print(ok, total, halves)
comm.Free()
