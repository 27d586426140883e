"""parameterrun: parts of a grid on all ranks; rank 0 looks for signals of the others, and gathers the results."""

from __future__ import annotations

import parameterrun
from mpi4py import MPI


def product(x: int, y: int) -> int:
    return x * y


if __name__ == "__main__":
    found = parameterrun.parameterrun(product, ["x", "y"], [[1, 2], [3, 4, 5]], backend="mpi", pbar_bool=False)
    if MPI.COMM_WORLD.rank == 0:
        print(found)
