"""A parameter sweep by mpi4py.futures: how often a logistic map is above one half, for each rate."""

from __future__ import annotations

from mpi4py.futures import MPICommExecutor


def share_above(rate: float, steps: int = 200) -> float:
    x, above = 0.3, 0
    for _ in range(steps):
        x = rate * x * (1 - x)
        above += x > 0.5
    return above / steps


if __name__ == "__main__":
    with MPICommExecutor() as executor:
        if executor is not None:
            rates = [2.5 + i / 20 for i in range(30)]
            for rate, share in zip(rates, executor.map(share_above, rates, chunksize=4), strict=True):
                print(f"{rate:.2f} {share:.4f}")
            futures = [executor.submit(divmod, 17, each) for each in (5, 0)]
            print(futures[0].result(), type(futures[1].exception()).__name__)
