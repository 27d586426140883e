"""The global random generators of each rank: those behind the functions of `random` and `numpy.random`.

Both are seeded from the simulation's seed, with a separate stream for each rank. Generators that a program makes belong
to the program.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from greenlet import getcurrent

from ..kernel import Task
from ..random_streams import stream
from ..virtual import global_generator
from .process import Process, current_process


@contextmanager
def random_of_ranks() -> Iterator[None]:
    """While active, the functions of `random` draw from the generator of the rank that calls them, wherever they were
    imported.
    """
    bound = vars(random)["_inst"]
    methods = {name: value for name, value in vars(random).items() if getattr(value, "__self__", None) is bound}
    vars(random).update({name: _of_the_rank(name, value) for name, value in methods.items()})
    try:
        yield
    finally:
        vars(random).update(methods)


def _of_the_rank(name: str, of_all: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(of_all)
    def drawn(*args: Any, **kwargs: Any) -> Any:
        task = getcurrent()
        if not isinstance(task, Task):
            return of_all(*args, **kwargs)
        return getattr(global_generator(task), name)(*args, **kwargs)

    # They are found by these, as when they are pickled.
    drawn.__module__, drawn.__qualname__ = "random", name
    return drawn


# -- NumPy's global generator --------------------------------------------------------------------------------


class NumpyChance:
    """Gives each rank its own state of NumPy's global generator, once NumPy is imported."""

    def __init__(self, seed: int, undo: ExitStack):
        self._seed = seed
        self._undo = undo
        self._last: Process | None = None
        self._of: Any = None
        self._outside: Any = None

    def install(self, module: Any) -> None:
        """Replace the functions of `numpy.random` that draw from the global generator, and the generator itself."""
        if self._of is not None:
            return
        self._of = module.mtrand._rand
        for space in (module, module.mtrand):
            for name, value in [*vars(space).items()]:
                # Its methods, and functions that call them; classes make generators of their own.
                if not name.startswith("_") and callable(value) and not isinstance(value, type):
                    setattr(space, name, self._own(value))
                    self._undo.callback(setattr, space, name, value)
        # Libraries take it as an object, as `check_random_state(None)` of several does.
        kind = type(self._of)
        methods = {name: self._method(name) for name, value in vars(kind).items() if name[0] != "_" and callable(value)}
        module.mtrand._rand = type(kind.__name__, (kind,), methods)(self._of._bit_generator)
        self._undo.callback(setattr, module.mtrand, "_rand", self._of)

    def _method(self, name: str) -> Callable[..., Any]:
        called = self._own(getattr(self._of, name))
        return functools.wraps(called)(lambda _, *args, **kwargs: called(*args, **kwargs))

    def _own(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def drawn(*args: Any, **kwargs: Any) -> Any:
            process = current_process()
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
