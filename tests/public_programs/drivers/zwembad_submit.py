"""zwembad: an executor with a thread for each job."""

from __future__ import annotations

from zwembad import MPIPoolExecutor


def square(x: int) -> int:
    return x * x


if __name__ == "__main__":
    pool = MPIPoolExecutor()
    if pool.is_master():
        with pool:
            print([future.result() for future in [pool.submit(square, n) for n in range(3)]])
