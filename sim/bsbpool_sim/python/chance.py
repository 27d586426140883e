"""The global generators of a rank: its own module `random`, and NumPy's global one.

Both begin as the seed says, on each rank as another stream. Generators that a program makes are its own anyway.
"""

from __future__ import annotations

import functools
import random
import types
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from greenlet import getcurrent

from ..kernel import Task
from ..streams import stream
from .process import Process, current


def own_random() -> types.ModuleType:
    """For the rank that runs, the module `random` with a generator of its own; its classes are those of all."""
    task: Any = getcurrent()
    copy = types.ModuleType("random", random.__doc__)
    copy.__dict__.update(random.__dict__)
    generator: Any = stream(task.kernel.cluster.seed, f"random of rank {task.rank.index}")
    bound = vars(random)["_inst"]
    for name, value in vars(random).items():
        if getattr(value, "__self__", None) is bound:
            setattr(copy, name, getattr(generator, name))
    copy.__dict__.update(_inst=generator, seed=generator.seed)
    return copy


# -- NumPy's global generator --------------------------------------------------------------------------------


class NumpyChance:
    """Gives each rank NumPy's global generator in a state of its own, from when NumPy is there."""

    def __init__(self, seed: int, undo: ExitStack):
        self._seed = seed
        self._undo = undo
        self._last: Process | None = None
        self._of: Any = None
        self._outside: Any = None

    def install(self, module: Any) -> None:
        """Replace the functions of `numpy.random` that draw from the global generator."""
        if self._of is not None:
            return
        self._of = module.mtrand._rand
        for space in (module, module.mtrand):
            for name, value in [*vars(space).items()]:
                # Its methods, and functions that call them; classes make generators of their own.
                if not name.startswith("_") and callable(value) and not isinstance(value, type):
                    setattr(space, name, self._own(value))
                    self._undo.callback(setattr, space, name, value)

    def _own(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def drawn(*args: Any, **kwargs: Any) -> Any:
            process = current()
            if process is not self._last:
                self._exchange(process)
            return function(*args, **kwargs)

        return drawn

    def _exchange(self, process: Process | None) -> None:
        state = self._of.get_state(legacy=False)
        if self._last is None:
            self._outside = state
        else:
            self._last.numpy_state = state
        self._last = process
        if process is None:
            self._of.set_state(self._outside)
        elif process.numpy_state is None:
            task = getcurrent()
            assert isinstance(task, Task)
            self._of.seed(stream(self._seed, f"numpy.random of rank {task.rank.index}").getrandbits(32))
        else:
            self._of.set_state(process.numpy_state)
