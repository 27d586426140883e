"""Installs the substitutes for the real sources of time, chance and identity while a simulation runs.

This is the only file of the simulator that accesses the real ones. Each call checks its caller: a simulated rank gets
the substitute, and any other code of the process (other threads, the hub) the real source. So simulations may run in
several threads at once, and only the first installs the substitutes, and only the last removes them. `sources` lists
the sources, and the substitutes are in `virtual`.

A name that a program bound earlier can't be replaced: `from time import monotonic` or `comm = MPI.COMM_WORLD` in a
module that was imported before the simulation. Import these names inside the program, or use ``time.monotonic`` and
``MPI.COMM_WORLD``.
"""

from __future__ import annotations

import functools
import gc
import importlib
import operator
import sys
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from greenlet import getcurrent

from .errors import CannotSimulateError
from .kernel import Task
from .python.chance import OF_CHANCE, of_numpy
from .python.late_imports import LATE, OF_LATE
from .python.locks import OF_LOCKS
from .python.process import OF_PROCESS
from .python.real_lock import RealRLock
from .python.sets import set_of_caller
from .python.thread_locals import Local
from .python.threads import OF_THREADS
from .sources import TABLE
from .stand_in_mpi4py import install_mpi
from .virtual import EPOCH, VIRTUAL, real

__all__ = ["EPOCH", "substitutes"]

_lock = RealRLock()
_users = 0
_undo: list[Callable[[], None]] = []


class substitutes:
    """While active, a simulated rank has virtual clocks, chance and threads and the simulated MPI; processes and
    sockets are refused.
    """

    # A class, since a generator takes longer, in each simulation.

    def __enter__(self) -> None:
        global _users
        with _lock:
            try:
                if _users == 0:
                    _install()
                _users += 1
            except BaseException:  # Ctrl-C
                if _users == 0:
                    _take_back()
                raise

    def __exit__(self, *exc: object) -> None:
        global _users
        with _lock:
            _users -= 1
            try:
                if _users == 0:
                    _uninstall()
            except BaseException:  # Ctrl-C
                _take_back()
                raise


def _uninstall() -> None:
    while _undo:
        _undo[-1]()  # it may be interrupted, and can be done twice
        _undo.pop()


def _take_back() -> None:
    """Put back what was there for those substitutes that are installed: installing or restoring was interrupted."""
    _undo[:] = [each for each in _undo if each is not _restore]
    for place in _places:
        if place.is_installed():
            place.restore()
    spaces: list[_Module | _InC] = [*_modules, *_classes.values()]
    for of in spaces:
        for attribute, substitute in of.substitutes.items():
            if of.space.get(attribute) is not substitute:
                continue
            if attribute in of.before:
                of.space[attribute] = of.before[attribute]
            else:
                del of.space[attribute]
    for owner in _classes:
        _changed(owner)
    _uninstall()


def _install() -> None:
    if not _places:
        _prepare()
    for name in LATE.keys() - _prepared:
        if name in sys.modules:
            _prepare_late(name)
    _undo.append(_restore)  # before the first of them: it may end in their midst
    for module in _modules:
        # Mostly what was there before the last simulation; or what is equal to it, such as another bound method.
        if module.what_is_there(module.space) != module.was_there:
            module.look()
        module.space.update(module.substitutes)
    for place in _places:
        place.install()
    for kind in _classes.values():
        kind.install()
    if len(_prepared) < len(LATE):
        finder = _LateFinder()
        _undo.append(lambda: sys.meta_path.remove(finder) if finder in sys.meta_path else None)
        sys.meta_path.insert(0, finder)
    install_mpi(_undo)


def _restore() -> None:
    for place in reversed(_places):
        place.restore()
    for kind in _classes.values():
        kind.restore()
    for module in _modules:
        module.space.update(module.before)


# -- places ----------------------------------------------------------------------------------------------

_NOTHING = object()


class _Module:
    """The namespace of a module in which substitutes are installed. There are many, and each simulation installs all of
    them.
    """

    def __init__(self, name: str, space: dict[str, Any]):
        self.name = name
        self.space = space
        self.substitutes: dict[str, Any] = {}
        self.before: dict[str, Any] = {}
        self.was_there: tuple[Any, ...] = ()

    def add(self, attribute: str, substitute: Any) -> None:
        self.substitutes[attribute] = substitute
        self.before[attribute] = _NOTHING
        self.was_there = ()
        self.what_is_there = operator.itemgetter("__name__", *self.substitutes)  # always a tuple

    def look(self) -> None:
        """Take note of what is there, for who calls it by name, and to put it back."""
        self.before = {attribute: self.space[attribute] for attribute in self.substitutes}
        real.update({f"{self.name}.{attribute}": there for attribute, there in self.before.items()})
        self.was_there = self.what_is_there(self.space)


class _Place:
    """An attribute of a class or function for which a substitute is installed."""

    def __init__(self, name: str, owner: Any, attribute: str, substitute: Any):
        self.name = name
        self.owner = owner
        self.attribute = attribute
        self.substitute = substitute
        self.before: Any = None

    def install(self) -> None:
        self.before = real[self.name] = getattr(self.owner, self.attribute)
        setattr(self.owner, self.attribute, self.substitute)

    def is_installed(self) -> bool:
        there = vars(self.owner).get(self.attribute)
        return (getattr(self.owner, self.attribute) if there is None else there) is self.substitute

    def restore(self) -> None:
        setattr(self.owner, self.attribute, self.before)


class _InC:
    """A class written in C, whose attributes can't be set from Python, with the substitutes for its methods.

    So they are set in the dictionary of the class itself, and Python told (`_changed`) to forget what it remembers of
    the class. This reaches also who took the class before, as ``from datetime import datetime`` does.
    """

    def __init__(self, owner: type):
        self.owner = owner
        (self.space, *_) = gc.get_referents(owner.__dict__)
        self.substitutes: dict[str, Any] = {}
        self.before: dict[str, Any] = {}
        #: what it inherits, and has no attribute of its own for.
        self.inherited: list[str] = []

    def add(self, name: str, attribute: str, substitute: Any) -> None:
        # One that it inherits is real by the class that it is from.
        real[name] = next(vars(base)[attribute] for base in self.owner.__mro__ if attribute in vars(base))
        self.substitutes[attribute] = substitute
        if attribute in self.space:
            self.before[attribute] = self.space[attribute]
        else:
            self.inherited.append(attribute)

    def install(self) -> None:
        self.space.update(self.substitutes)
        _changed(self.owner)

    def restore(self) -> None:
        self.space.update(self.before)
        for attribute in self.inherited:
            del self.space[attribute]
        _changed(self.owner)


class _Shadow(_Place):
    """A name that a module takes from `builtins`, and that is set in the module's namespace."""

    def install(self) -> None:
        self.owner[self.attribute] = self.substitute

    def is_installed(self) -> bool:
        return self.owner.get(self.attribute) is self.substitute

    def restore(self) -> None:
        self.owner.pop(self.attribute, None)


def _changed(owner: type) -> None:
    global _modified
    if _modified is None:
        import ctypes

        _modified, _modified.argtypes = ctypes.pythonapi.PyType_Modified, (ctypes.py_object,)
    _modified(owner)


_modified: Any = None


_modules: list[_Module] = []
_places: list[_Place] = []
_classes: dict[type, _InC] = {}


def _prepare() -> None:
    """Make the substitutes, once. What takes a clock by name when it is imported is imported before."""
    _hook()
    for name, virtual in (VIRTUAL | OF_PROCESS | OF_LOCKS | OF_THREADS).items():
        _put(name, functools.partial(_dispatching, name, virtual))
    for name, substitute in {"threading.local": Local, "_thread._local": Local, **OF_CHANCE}.items():
        _put(name, functools.partial(_replacing, substitute))
    for row in TABLE:
        for name in row.names if row.refused_by_name else ():
            _put(name, functools.partial(_refusing, name, row.what))
    # None of the Pythons has an audit event for multiprocessing's spawn.
    _put("_posixsubprocess.fork_exec", functools.partial(_forbidding, "_posixsubprocess.fork_exec", "subprocess.Popen"))


# Modules that are not imported for the sake of a simulation: what there is of them is put in place when they are there.

_prepared: set[str] = set()


def _prepare_late(name: str) -> None:
    _prepared.add(name)
    if name == "sched":
        # They are bound when the module is imported.
        (of_time,) = [module.substitutes for module in _modules if module.name == "time"]
        defaults = (of_time["monotonic"], of_time["sleep"])
        _places.append(_Place("sched.scheduler", sys.modules[name].scheduler.__init__, "__defaults__", defaults))
    elif name == "numpy.random":
        for each, module, substitute in of_numpy(sys.modules[name]):
            _put(each, functools.partial(_replacing, substitute), (module, each.rpartition(".")[2]))
    for each in LATE[name]:
        if each.endswith(".set"):
            owner = sys.modules.get(each.removesuffix(".set"))
            if owner is not None:
                _places.append(_Shadow(each, vars(owner), "set", set_of_caller))
        else:
            # A package has no attribute for its module yet while the module is loaded.
            path = each.removeprefix(name + ".").split(".")
            _put(each, functools.partial(_dispatching, each, OF_LATE[each]), (sys.modules[name], *path))


class _LateFinder:
    """Stands in `sys.meta_path`, and notices when one of these modules is imported during a simulation."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in LATE or name in _prepared:
            return None
        spec = PathFinder.find_spec(name, path)
        _when_loaded(spec, self._loaded)
        return spec

    def _loaded(self, module: types.ModuleType) -> None:
        with _lock:
            if module.__name__ in _prepared or not _users:
                return
            places, modules = len(_places), len(_modules)
            _prepare_late(module.__name__)
            for new in _modules[modules:]:
                new.look()
                new.space.update(new.substitutes)
            for place in _places[places:]:
                place.install()


def _when_loaded(spec: ModuleSpec | None, then: Callable[[types.ModuleType], None]) -> None:
    """Call a function with the module of this spec once it is loaded; without a spec, do nothing."""
    if spec is None or spec.loader is None:
        return
    loader: Any = spec.loader
    load = loader.exec_module

    def load_first(module: types.ModuleType) -> None:
        load(module)
        then(module)

    loader.exec_module = load_first


def _put(name: str, make: Callable[[Any], Any], at: tuple[Any, ...] = ()) -> None:
    """Add a place, if this Python and system have it.

    :param make: called with what is there, returns the substitute.
    :param at: the module, and the rest of the name, where these are known.
    """
    module, *path = at or _resolved(name)
    owner: Any = module
    for each in path[:-1]:
        owner = getattr(owner, each, None)
    if owner is None or not hasattr(owner, path[-1]):
        return
    if isinstance(owner, types.ModuleType):
        name_of_module = name.rpartition(".")[0]
        found = [each for each in _modules if each.name == name_of_module]
        if not found:
            found = [_Module(name_of_module, vars(owner))]
            _modules.append(found[0])
        found[0].add(path[-1], make(vars(owner)[path[-1]]))
        return
    there = next(vars(base)[path[-1]] for base in owner.__mro__ if path[-1] in vars(base))
    # Py_TPFLAGS_HEAPTYPE, Py_TPFLAGS_IMMUTABLETYPE
    in_c = not owner.__flags__ & 1 << 9 or owner.__flags__ & 1 << 8
    substitute = make(there)
    if in_c:
        _classes.setdefault(owner, _InC(owner)).add(name, path[-1], substitute)
    else:
        substitute = substitute if hasattr(there, "__get__") else staticmethod(substitute)
        _places.append(_Place(name, owner, path[-1], substitute))


def _resolved(name: str) -> tuple[Any, ...]:
    """The module of a dotted name, None if it is not there, and the rest of the name."""
    module, *path = name.split(".")
    try:
        return importlib.import_module(module), *path
    except ImportError:  # pragma: no cover  (not on Windows)
        return None, *path


def _replacing(substitute: Any, there: Any) -> Any:
    """What is the same for whoever asks, or tells them apart by itself."""
    return substitute


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
    task: Any = getcurrent()
    what, instead = _FORBIDDEN[event]
    raise CannotSimulateError(f"simulated rank {task.rank.index} tried to start {what}, {instead}")


def _audit(
    event: str, _: Any, forbidden: Any = _FORBIDDEN, running: Any = getcurrent, task: type = Task
) -> None:  # pragma: no cover  (Python traces no audit hooks)
    # It has these as defaults: when the process ends, Python sets what the module holds to None, and calls it still.
    if event in forbidden and isinstance(running(), task):
        _refuse(event)


def _hook() -> None:
    # An audit hook can't be removed; it costs a dictionary lookup for each event.
    sys.addaudithook(_audit)
