"""Seeded chance: the one place of the simulator that makes random numbers.

Each purpose has a stream of its own, derived from the simulation's seed and the purpose's name, so that
a new consumer of chance does not shift what the others draw.
"""

from __future__ import annotations

import random
from random import Random

__all__ = ["Random", "seeded_global", "stream"]


def stream(seed: int, purpose: str) -> Random:
    """A random stream that depends on nothing but `seed` and `purpose`, on every machine and Python."""
    return Random(f"bsbpool/{seed}/{purpose}")


class seeded_global:
    """While active, the module-level functions of `random` draw from a stream of the seed.

    A program under simulation that calls `random.random()` is then as reproducible as everything else;
    afterwards the process's own state is put back.
    """

    def __init__(self, seed: int):
        self._seed = seed

    def __enter__(self) -> None:
        self._before = random.getstate()
        random.setstate(stream(self._seed, "the program's own random module").getstate())

    def __exit__(self, *exc: object) -> None:
        random.setstate(self._before)
