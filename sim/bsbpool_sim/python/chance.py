"""The generators behind the functions of `random` and `numpy.random`: each rank has a state of its own for them.

They are seeded from the simulation's seed, with a separate stream for each rank. All who are no ranks, such as a script
or another thread, share one more state. Each library has one generator: it gets the state of who draws, and that of the
process after the simulation. Generators that a program makes belong to the program.
"""

from __future__ import annotations

import functools
import random
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, ClassVar

from greenlet import getcurrent

from bsbpool.frames import OBSERVERS

from ..kernel import Kernel, Task
from ..random_streams import generator_state, seeded_state, set_generator_state, stream
from ..tasks import Rank
from ..virtual import real, seed_of_unseeded
from .real_lock import RealRLock

__all__ = ["OF_CHANCE", "global_generators", "of_numpy"]

_lock = RealRLock()
#: Packages that import functions of `random` by name, and draw nothing for a program.
_DRAWS_NOT = ("hypothesis", "rich", *OBSERVERS)


class _Generator(ABC):
    """A generator that is behind the functions of a module.

    :param key: under which key its states are kept.
    """

    def __init__(self, key: str):
        self._key = key
        #: whose state it has; None: that of the process, as it is before and after simulations.
        self.owner: _Owner | None = None
        self._of_process: Any = None
        #: the functions of the module that draw from it, by their names.
        self.functions: dict[str, Callable[..., Any]] = {}
        self._counts: list[int] = []
        self._held = False

    def exchange(self, owner: _Owner | None) -> None:
        """Give it the state of who draws next."""
        with _lock:
            if owner is self.owner:
                return
            if self.owner is None:
                self._of_process = self.state()
            else:
                self.owner.kept[self._key] = self.state()
            self.owner = owner
            if owner is None:
                self.set_state(self._of_process)
            elif self._key in owner.kept:
                self.set_state(owner.kept[self._key])
            elif isinstance(owner, Rank):
                assert owner.main is not None
                self.begin(owner.main.kernel.cluster.seed, f"{self._key} of rank {owner.index}")
            else:
                self.begin(owner.seed, f"{self._key} of others")

    @abstractmethod
    def state(self) -> Any:
        """Return its state."""

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Set its state."""

    @abstractmethod
    def begin(self, seed: int, purpose: str) -> None:
        """Give it the state that it has at first, for a purpose."""

    def is_held(self) -> bool:
        """Whether somebody has a function of its module since before simulations, so that no substitute reaches it."""
        counts = [*map(sys.getrefcount, self.functions.values())]
        if counts != self._counts:  # mostly nobody has come or gone since the last simulation
            self._counts, self._held = counts, self._has_holders(counts)
        return self._held

    def _has_holders(self, counts: list[int]) -> bool:
        """Whether a module has one by its name, or anything else refers to one: to the others as many refer."""
        by_module, by_tool = Counter[str](), Counter[str]()
        for name, module in [*sys.modules.items()]:
            package = name.partition(".")[0]
            space = getattr(module, "__dict__", None)
            if package != self._key.partition(".")[0] and isinstance(space, dict):
                found = [each for each, function in self.functions.items() if space.get(each) is function]
                (by_tool if package in _DRAWS_NOT else by_module).update(found)
        others = [count - by_tool[name] for name, count in zip(self.functions, counts, strict=True)]
        return bool(by_module) or max(others, default=0) > min(others, default=0)

    def own(self, module: str, name: str, there: Callable[..., Any]) -> Callable[..., Any]:
        """Return what draws with the state of who calls it.

        :param module: where it stands, and under which name; what is called then is in `real` under both.
        :param there: what it stands for.
        """
        full = f"{module}.{name}"

        @functools.wraps(there)
        def drawn(*args: Any, **kwargs: Any) -> Any:
            task = getcurrent()
            with _lock:  # another thread that draws would exchange the state
                owner: _Owner | None = None
                if isinstance(task, Task):
                    owner = task.rank
                    owner.draws += 1
                elif global_generators.active:
                    owner = global_generators.active[-1]
                if owner is not self.owner:
                    self.exchange(owner)
                return real[full](*args, **kwargs)

        # They are found by these, as when they are pickled.
        drawn.__module__, drawn.__name__, drawn.__qualname__ = module, name, name
        return drawn


def _calling(functions: dict[str, Callable[..., Any]], kind: type) -> Any:
    """A class of generators that calls these functions: libraries take the generator itself, as
    `check_random_state(None)` of several does.
    """
    return type(kind.__name__, (kind,), {name: _method(function) for name, function in functions.items()})


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    return functools.wraps(function)(lambda _, *args, **kwargs: function(*args, **kwargs))


# -- that of Python ----------------------------------------------------------------------------------------


class _Pythons(_Generator):
    def state(self) -> Any:
        return generator_state()

    def set_state(self, state: Any) -> None:
        set_generator_state(state)

    def begin(self, seed: int, purpose: str) -> None:
        set_generator_state(seeded_state(seed, purpose))


PYTHON = _Pythons("random")
_INSTANCE: Any = vars(random)["_inst"]
PYTHON.functions = {
    name: value for name, value in vars(random).items() if getattr(value, "__self__", None) is _INSTANCE
}
_drawn = {name: PYTHON.own("random", name, value) for name, value in PYTHON.functions.items()}
_seed = _drawn["seed"]


@functools.wraps(_seed)
def _seed_of_simulation(a: Any = None, version: int = 2) -> None:
    task = getcurrent()
    if a is None and isinstance(task, Task):
        a = seed_of_unseeded(task)
    _seed(a, version)


_drawn["seed"] = _seed_of_simulation

#: By name: the substitutes.
OF_CHANCE: dict[str, Any] = {f"random.{name}": drawn for name, drawn in _drawn.items()}
_Calling = _calling(_drawn, random.Random)
OF_CHANCE["random._inst"] = _Calling.__new__(_Calling, 0)  # what makes it otherwise would seed it


# -- that of NumPy -----------------------------------------------------------------------------------------


class _Numpys(_Generator):
    #: what is behind its functions, once NumPy is imported.
    of: Any = None
    #: whether a simulation has imported it that is not over.
    is_new = False

    def state(self) -> Any:
        return self.of.get_state(legacy=False)

    def set_state(self, state: Any) -> None:
        self.of.set_state(state)

    def begin(self, seed: int, purpose: str) -> None:
        self.of.seed(stream(seed, purpose).getrandbits(32))


NUMPY = _Numpys("numpy.random")


def of_numpy(module: ModuleType) -> Iterator[tuple[str, ModuleType, Any]]:
    """Yield the names of what `numpy.random` draws with, the module of each, and the substitute. NumPy is imported now,
    or was before.
    """
    inner: Any = vars(module)["mtrand"]
    NUMPY.of = inner._rand
    # Classes make generators of their own.
    functions: dict[str, Callable[..., Any]] = {
        name: value
        for name, value in vars(inner).items()
        if not name.startswith("_") and callable(value) and not isinstance(value, type)
    }
    for name, value in functions.items():
        for space in (module, inner):
            if getattr(space, name, None) is value:
                yield f"{space.__name__}.{name}", space, NUMPY.own(space.__name__, name, value)
    NUMPY.functions = {name: value for name, value in functions.items() if getattr(module, name, None) is value}
    kind = type(NUMPY.of)
    methods = {}
    for name, value in vars(kind).items():
        if name[0] != "_" and callable(value):
            method = real[f"numpy.random.mtrand.RandomState.{name}"] = getattr(NUMPY.of, name)
            methods[name] = NUMPY.own("numpy.random.mtrand.RandomState", name, method)
    yield "numpy.random.mtrand._rand", inner, _calling(methods, kind)(NUMPY.of._bit_generator)
    # It was seeded by what the rank that imports it has in place of the machine's chance.
    NUMPY.is_new = bool(global_generators.active)


# -- while a simulation runs -------------------------------------------------------------------------------


class global_generators:
    """While active, each rank draws with a state of its own, and all others with one that depends on the seed.

    Afterwards the process's own states are put back. NumPy is not imported for that: if the program does, it has a
    fresh seed afterwards. What nobody draws from is left alone.

    :param seed: the simulation's.
    :param kernel: of the simulation; None: this is for several simulations, which enter it themselves.
    """

    # A class, since a generator takes longer, in each simulation.

    #: those that are active, in any thread.
    active: ClassVar[list[global_generators]] = []
    #: the generators with functions that were imported by name before the first of them.
    _held: ClassVar[list[_Generator]] = []

    def __init__(self, seed: int, kernel: Kernel | None = None):
        self.seed = seed
        #: what is kept for all who are no ranks.
        self.kept: dict[str, Any] = {}
        self._kernel = kernel

    def __enter__(self) -> None:
        if not self.active:  # what is imported later gets the substitutes
            global_generators._held = [each for each in (PYTHON, NUMPY) if each.is_held()]
        self.active.append(self)
        kernel = self._kernel
        if kernel is not None:
            self._turn = kernel.on_turn
            if self._held:
                _take_turns(self._held, None, self)
                kernel.on_turn = functools.partial(_take_turns, self._held, kernel.on_turn)

    def __exit__(self, *exc: object) -> None:
        if self._kernel is not None:
            self._kernel.on_turn = self._turn
        self.active.remove(self)
        if PYTHON.owner is not None:
            PYTHON.exchange(None)
        if NUMPY.owner is not None:
            NUMPY.exchange(None)
        if NUMPY.is_new and not self.active:
            NUMPY.is_new = False
            NUMPY.of.seed()


def _take_turns(held: Sequence[_Generator], then: Callable[[Any], None] | None, owner: _Owner) -> None:
    """Give generators the state of who goes on, since it may draw with functions that no substitute reaches."""
    for generator in held:
        if generator.owner is not owner:
            generator.exchange(owner)
    if then is not None:
        then(owner)


#: Whose state a generator may have while simulations run.
_Owner = Rank | global_generators
