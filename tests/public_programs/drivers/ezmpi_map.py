"""ezmpi: a pool whose `map` gives each worker the next task."""

from __future__ import annotations

from ezmpi import MPIPool


def square(x: int) -> int:
    return x * x


if __name__ == "__main__":
    with MPIPool(use_dill=False) as pool:
        print(pool.map(square, range(5)))
