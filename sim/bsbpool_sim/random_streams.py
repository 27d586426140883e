"""Seeded random numbers: the only place of the simulator that makes random numbers.

Each purpose has its own stream, derived from the simulation's seed and the purpose's name, so that a new purpose does
not change the numbers of the others.
"""

from __future__ import annotations

import _random
import ctypes
import functools
import random
import sys
from random import Random
from typing import Any

__all__ = ["Random", "generator_state", "seeded_state", "set_generator_state", "stream"]


def stream(seed: int, purpose: str) -> Random:
    """Return a random generator that depends only on `seed` and `purpose`, not on the machine or the Python."""
    return Random(f"bsbpool/{seed}/{purpose}")


# -- the state of the `random` module's generator --------------------------------------------------------

#: What is behind the functions of `random`.
_generator: Any = random._inst


def _memory_of(generator: Random) -> Any:
    """Where the state of a generator is, as memory.

    `getstate` makes 625 integers of it, and `setstate` takes them apart, which is a tenth of a small simulation.
    """
    beyond = object.__basicsize__
    size = _random.Random.__basicsize__ - beyond
    return (ctypes.c_char * size).from_address(id(generator) + beyond)


def _copies() -> bool:
    """Whether this Python has the state of a generator where `_memory_of` looks for it, and nothing else there."""
    if sys.implementation.name != "cpython":
        return False
    one, other = Random(1), Random(2)
    other.random()
    _memory_of(other).raw = _memory_of(one).raw
    return one.getstate() == other.getstate() and one.random() == other.random()


_memory: Any = _memory_of(_generator) if _copies() else None


def generator_state() -> Any:
    """Return the state of the generator behind the functions of `random`."""
    return random.getstate() if _memory is None else (_memory.raw, _generator.gauss_next)


def set_generator_state(state: Any) -> None:
    """Set the state of that generator."""
    if _memory is None:
        random.setstate(state)
    else:
        _memory.raw, _generator.gauss_next = state


@functools.lru_cache(16)
def seeded_state(seed: int, purpose: str) -> Any:
    """Return the state that this generator has at the beginning of a stream."""
    fresh = stream(seed, purpose)
    return fresh.getstate() if _memory is None else (_memory_of(fresh).raw, None)
