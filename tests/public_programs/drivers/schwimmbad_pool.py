"""schwimmbad's pool: the workers compute, rank 0 is called back with each result, and an error comes back."""

from __future__ import annotations

import sys

from schwimmbad import MPIPool

TOTAL = 0.0


def cube(x: float) -> float:
    return x**3


def add(result: float) -> None:
    global TOTAL
    TOTAL += result


if __name__ == "__main__":
    with MPIPool() as pool:
        if not pool.is_master():
            pool.wait()
            sys.exit(0)
        print(list(pool.map(cube, range(int(sys.argv[1])), callback=add)), TOTAL)
        print(pool.map(abs, [-1, 2, -3]))
