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
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from random import Random
from types import ModuleType
from typing import Any, ClassVar

from .python.real_lock import RealRLock

__all__ = ["Random", "seeded_global", "stream"]


def stream(seed: int, purpose: str) -> Random:
    """Return a random generator that depends only on `seed` and `purpose`, not on the machine or the Python."""
    return Random(_name(seed, purpose))


def _name(seed: int, purpose: str) -> str:
    return f"bsbpool/{seed}/{purpose}"


class seeded_global:
    """While active, the module-level functions of `random` and of `numpy.random` draw from a stream of the seed.

    A program under simulation that calls `random.random()` is then as reproducible as everything else;
    afterwards the process's own state is put back. NumPy is not imported for that: if the program does, it is seeded
    then, and has a fresh seed afterwards.
    """

    _lock = RealRLock()
    #: those that are active, in any thread: the first one keeps the process's state, the last one puts it back.
    _active: ClassVar[list[seeded_global]] = []
    _before: ClassVar[tuple[Any, Any]] = (None, None)

    def __init__(self, seed: int):
        self._seed = seed

    def __enter__(self) -> None:
        with self._lock:
            numpy = sys.modules.get("numpy.random")
            if not self._active:
                state = numpy.get_state(legacy=False) if numpy is not None else None
                seeded_global._before = _generator_state(), state
            self._active.append(self)
            _set_generator_state(_seeded(self._seed))
            if numpy is not None:
                self._seed_numpy(numpy)
            else:
                sys.meta_path.insert(0, self)

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._active.remove(self)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            if self._active:
                return
            state, of_numpy = self._before
            _set_generator_state(state)
            numpy = sys.modules.get("numpy.random")
            if of_numpy is not None:
                assert numpy is not None
                numpy.set_state(of_numpy)
            elif numpy is not None:
                numpy.seed()

    def _seed_numpy(self, numpy: Any) -> None:
        numpy.seed(stream(self._seed, "the program's own numpy.random").getrandbits(32))

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """What Python's import calls for each module: how NumPy's is found and loaded, with the seeding thereafter."""
        if name != "numpy.random":
            return None
        spec = PathFinder.find_spec(name, path)
        when_loaded(spec, self._seed_numpy)
        return spec


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


def _generator_state() -> Any:
    return random.getstate() if _memory is None else (_memory.raw, _generator.gauss_next)


def _set_generator_state(state: Any) -> None:
    if _memory is None:
        random.setstate(state)
    else:
        _memory.raw, _generator.gauss_next = state


@functools.lru_cache(4)
def _seeded(seed: int) -> Any:
    """The state that it has when a simulation with this seed begins."""
    fresh = stream(seed, "the program's own random module")
    return fresh.getstate() if _memory is None else (_memory_of(fresh).raw, None)


def when_loaded(spec: ModuleSpec | None, then: Callable[[ModuleType], None]) -> None:
    """Call a function with the module of this spec once it is loaded; without a spec, do nothing."""
    if spec is None or spec.loader is None:
        return
    loader: Any = spec.loader
    load = loader.exec_module

    def load_first(module: ModuleType) -> None:
        load(module)
        then(module)

    loader.exec_module = load_first
