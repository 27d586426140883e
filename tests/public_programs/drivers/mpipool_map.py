"""mpipool's executor: tasks, their errors, and what comes as it is ready."""

from __future__ import annotations

from concurrent.futures import wait

from mpipool import MPIExecutor


def square(x: int) -> int:
    if x < 0:
        raise ValueError(f"{x} is negative")
    return x * x


if __name__ == "__main__":
    with MPIExecutor() as pool:
        pool.workers_exit()
        print([*pool.map(square, range(7))])
        futures = [pool.submit(square, x) for x in (3, -1, 4)]
        wait(futures)
        print([future.exception() or future.result() for future in futures])
