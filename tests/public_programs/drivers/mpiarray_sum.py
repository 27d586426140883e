"""mpiarray: arrays that are distributed over the ranks, and their sum."""

from __future__ import annotations

import mpiarray

if __name__ == "__main__":
    array = mpiarray.array([1, 2, 3, 4, 5, 6])
    halo = mpiarray.zeros((8, 4), halo=1, periodic=(True, False))
    print(float((2 * array).sum()), halo.shape, mpiarray.default_comm().size)
