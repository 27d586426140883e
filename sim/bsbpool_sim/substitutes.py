"""Puts what is virtual, or refused, for a simulated rank in place while a simulation runs.

The one file of the simulator that touches the real ones. Everything is decided at each call by who calls:
a simulated rank gets the substitute, anybody else in the process (other threads, the hub) the real thing.
So simulations may run in several threads at once, and only the first and the last install and restore.
What there is, and what becomes of it, is in `sources`; the substitutes are in `virtual`.

Out of reach is what a program took before: `from time import monotonic` or `comm = MPI.COMM_WORLD` at the
import of a module that was imported before the simulation. Take them inside the program, or as
``time.monotonic`` and ``MPI.COMM_WORLD``.
"""

from __future__ import annotations

import functools
import gc
import importlib
import operator
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from greenlet import getcurrent

from . import mpi
from .errors import CannotSimulateError
from .kernel import Task
from .python.process import OF_PROCESS
from .sources import TABLE
from .virtual import EPOCH, VIRTUAL, real

__all__ = ["EPOCH", "substitutes"]

_lock = threading.Lock()
_users = 0
_undo: list[Callable[[], None]] = []


@contextmanager
def substitutes() -> Iterator[None]:
    """While active, a simulated rank has virtual clocks, simulated MPI, and no thread, process or socket."""
    global _users
    with _lock:
        if _users == 0:
            _install()
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                while _undo:
                    _undo.pop()()


def _install() -> None:
    if not _places:
        _prepare()
    for module in _modules:
        module.install()
    for place in _places:
        place.install()
    for owner in _classes:
        _changed(owner)
    _undo.append(_restore)
    _install_mpi()


def _restore() -> None:
    for place in reversed(_places):
        place.restore()
    for owner in _classes:
        _changed(owner)
    for module in _modules:
        module.restore()


# -- places ----------------------------------------------------------------------------------------------

_NOTHING = object()


class _Module:
    """The namespace of a module, where substitutes stand while simulations run: there are many of them, and each
    simulation installs all."""

    def __init__(self, name: str, space: dict[str, Any]):
        self.name = name
        self.space = space
        self.substitutes: dict[str, Any] = {}
        self.before: dict[str, Any] = {}

    def add(self, attribute: str, substitute: Any) -> None:
        self.substitutes[attribute] = substitute
        self.before[attribute] = _NOTHING
        self._what_is_there = operator.itemgetter(*self.substitutes, attribute)

    def install(self) -> None:
        # Mostly what was there before the last simulation.
        if any(map(operator.is_not, self._what_is_there(self.space), self.before.values())):
            self.before = {attribute: self.space[attribute] for attribute in self.substitutes}
            real.update({f"{self.name}.{attribute}": there for attribute, there in self.before.items()})
        self.space.update(self.substitutes)

    def restore(self) -> None:
        self.space.update(self.before)


class _Place:
    """An attribute of a class or of a function, where a substitute stands while simulations run."""

    def __init__(self, name: str, owner: Any, attribute: str, substitute: Any):
        self.name = name
        self.owner = owner
        self.attribute = attribute
        self.substitute = substitute
        self.before: Any = None

    def install(self) -> None:
        self.before = real[self.name] = getattr(self.owner, self.attribute)
        setattr(self.owner, self.attribute, self.substitute)

    def restore(self) -> None:
        setattr(self.owner, self.attribute, self.before)


class _InC(_Place):
    """A method of a class that is written in C, whose attributes Python lets nobody set.

    So it is set in the dictionary of the class itself, and Python told (`_changed`) to forget what it remembers of the
    class. This reaches also who took the class before, as ``from datetime import datetime`` does.
    """

    def __init__(self, name: str, owner: type, attribute: str, substitute: Any):
        super().__init__(name, owner, attribute, substitute)
        (self.space, *_) = gc.get_referents(owner.__dict__)
        # One that it inherits is real by the class that it is from.
        real[name] = next(vars(base)[attribute] for base in owner.__mro__ if attribute in vars(base))

    def install(self) -> None:
        self.before = self.space.get(self.attribute, _NOTHING)
        self.space[self.attribute] = self.substitute

    def restore(self) -> None:
        if self.before is _NOTHING:
            del self.space[self.attribute]
        else:
            self.space[self.attribute] = self.before


def _changed(owner: type) -> None:
    import ctypes

    ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))


_modules: list[_Module] = []
_places: list[_Place] = []
#: those that are written in C, and have attributes among these places.
_classes: dict[type, None] = {}


def _prepare() -> None:
    """Make the substitutes, once. What takes a clock by name when it is imported is imported before."""
    _hook()
    for name, virtual in (VIRTUAL | OF_PROCESS).items():
        _put(name, functools.partial(_dispatching, name, virtual))
    for row in TABLE:
        for name in row.names if row.refused_by_name else ():
            _put(name, functools.partial(_refusing, name, row.what))
    # Python 3.11 has no audit event for a new thread, and none of them has one for multiprocessing's spawn.
    for name, event in (
        ("_thread.start_new_thread", "_thread.start_new_thread"),
        ("threading._start_new_thread", "_thread.start_new_thread"),
        ("_posixsubprocess.fork_exec", "subprocess.Popen"),
    ):
        _put(name, functools.partial(_forbidding, name, event))
    # They are bound when the module is imported.
    scheduler = importlib.import_module("sched").scheduler
    (of_time,) = [module.substitutes for module in _modules if module.name == "time"]
    defaults = (of_time["monotonic"], of_time["sleep"])
    _places.append(_Place("sched.scheduler", scheduler.__init__, "__defaults__", defaults))


def _put(name: str, make: Callable[[Any], Any]) -> None:
    """Add a place, if this Python and system have it.

    :param make: called with what is there, returns the substitute.
    """
    module, *path = _resolved(name)
    owner: Any = module
    for each in path[:-1]:
        owner = getattr(owner, each)
    if owner is None or not hasattr(owner, path[-1]):
        return
    if owner is module:
        name_of_module = name.rpartition(".")[0]
        found = [each for each in _modules if each.name == name_of_module]
        if not found:
            found = [_Module(name_of_module, vars(owner))]
            _modules.append(found[0])
        found[0].add(path[-1], make(vars(owner)[path[-1]]))
        return
    there = next(vars(base)[path[-1]] for base in owner.__mro__ if path[-1] in vars(base))
    in_c = not owner.__flags__ & 1 << 9  # Py_TPFLAGS_HEAPTYPE
    if in_c:
        _classes[owner] = None
    _places.append((_InC if in_c else _Place)(name, owner, path[-1], make(there)))


def _resolved(name: str) -> tuple[Any, ...]:
    """The module of a dotted name, None if it is not there, and the rest of the name."""
    module, *path = name.split(".")
    try:
        return importlib.import_module(module), *path
    except ImportError:  # pragma: no cover  (not on Windows)
        return None, *path


def _dispatching(name: str, virtual: Callable[..., Any], there: Any) -> Any:
    """What a simulated rank gets from `virtual`, and anybody else from what is there."""

    def substitute(*args: Any, **kwargs: Any) -> Any:
        task = getcurrent()
        if isinstance(task, Task):
            return virtual(task, *args, **kwargs)
        return real[name](*args, **kwargs)

    def of_class(kind: type, *args: Any, **kwargs: Any) -> Any:
        task = getcurrent()
        if isinstance(task, Task):
            return virtual(task, kind, *args, **kwargs)
        return real[name].__get__(None, kind)(*args, **kwargs)

    def value(self: Any) -> Any:
        task = getcurrent()
        return virtual(task, self) if isinstance(task, Task) else real[name].__get__(self)

    real[name] = there
    if isinstance(there, property):
        return property(value, doc=there.__doc__)
    if isinstance(there, types.ClassMethodDescriptorType):
        return classmethod(of_class)
    return functools.update_wrapper(substitute, there)


def _refusing(name: str, why: str, there: Any) -> Any:
    def refused(task: Task, *args: Any, **kwargs: Any) -> Any:
        raise CannotSimulateError(f"simulated rank {task.rank.index} called {name}(), which is refused: {why}")

    return _dispatching(name, refused, there)


def _forbidding(name: str, event: str, there: Any) -> Any:
    return _dispatching(name, lambda task, *args, **kwargs: _refuse(event), there)


# -- threads, processes, sockets -------------------------------------------------------------------------

_THREAD = ("a real thread", "whose timing no simulation can repeat: let another rank or a job do it")
_PROCESS = ("a real process", "which lives in real time: run it before the simulation, and use its result here")
_SOCKET = ("a socket", "whose other end lives in real time: use the communicator, or it before the simulation")
_FORBIDDEN = {
    "_thread.start_new_thread": _THREAD,
    "_thread.start_joinable_thread": _THREAD,
    "subprocess.Popen": _PROCESS,
    "os.exec": _PROCESS,
    "os.fork": _PROCESS,
    "os.forkpty": _PROCESS,
    "os.posix_spawn": _PROCESS,
    "os.spawn": _PROCESS,
    "os.startfile": _PROCESS,
    "os.system": _PROCESS,
    "_winapi.CreateProcess": _PROCESS,
    "socket.__new__": _SOCKET,
    **dict.fromkeys(
        ("socket.gethostbyname", "socket.gethostbyaddr", "socket.getaddrinfo", "socket.getnameinfo"),
        ("a question to the network", "whose answer comes in real time: ask it before the simulation"),
    ),
    # From Python 3.13 on. Ours is no such event, so this sleep was imported by name before the simulation.
    "time.sleep": ("a real sleep", "taken before the simulation: write `import time` and `time.sleep(…)`"),
}


def _refuse(event: str) -> None:
    task = getcurrent()
    if isinstance(task, Task):
        what, instead = _FORBIDDEN[event]
        raise CannotSimulateError(f"simulated rank {task.rank.index} tried to start {what}, {instead}")


def _audit(event: str, _: Any) -> None:  # pragma: no cover  (Python traces no audit hooks)
    if event in _FORBIDDEN:
        _refuse(event)


def _hook() -> None:
    # An audit hook can't be removed; it costs a dictionary lookup for each event.
    sys.addaudithook(_audit)


# -- mpi4py ----------------------------------------------------------------------------------------------


class _Dispatching(types.ModuleType):
    """The real `mpi4py.MPI`, whose attributes are the simulator's for a simulated rank."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or not isinstance(getcurrent(), Task):
            return super().__getattribute__(name)
        try:
            return getattr(mpi, name)
        except AttributeError:
            value = super().__getattribute__(name)
            if isinstance(value, int | str):
                return value
            raise


class _StandIn(types.ModuleType):
    """`mpi4py.MPI` where the real one is not imported."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if isinstance(getcurrent(), Task) or sys.modules.get("mpi4py.MPI") is self:
            return getattr(mpi, name)
        # Kept by a module that was first imported during a simulation, and is used for real after it.
        return getattr(importlib.import_module("mpi4py.MPI"), name)


class _Options(types.SimpleNamespace):
    """`mpi4py.rc`: takes every option, and heeds none."""

    def __call__(self, **options: Any) -> None:
        self.__dict__.update(options)


def _install_mpi() -> None:
    module = sys.modules.get("mpi4py.MPI")
    if module is not None:
        before = type(module)
        module.__class__ = _Dispatching
        _undo.append(lambda: setattr(module, "__class__", before))
        return
    package = sys.modules.get("mpi4py")
    if package is None:
        package = types.ModuleType("mpi4py", "The simulator's stand-in for mpi4py.")
        package.__path__ = []
        package.rc = _Options()  # type: ignore[attr-defined]
        package.__version__ = "4.0"  # type: ignore[attr-defined]
        sys.modules["mpi4py"] = package
        _undo.append(lambda: _forget("mpi4py", package))
    stand_in = _StandIn("mpi4py.MPI", "The simulator's stand-in for mpi4py.MPI.")
    sys.modules["mpi4py.MPI"] = stand_in
    package.MPI = stand_in  # type: ignore[attr-defined]
    _undo.append(lambda: delattr(package, "MPI"))
    _undo.append(lambda: _forget("mpi4py.MPI", stand_in))


def _forget(name: str, module: types.ModuleType) -> None:
    if sys.modules.get(name) is module:
        del sys.modules[name]
