"""The package mpi4py as each rank of a program imports it: the installed package, with the simulator's MPI in place of
the compiled one.

So `mpi4py.rc`, `mpi4py.util`, `mpi4py.futures`, `mpi4py.run` and all its other modules are mpi4py's own, even if the
real `mpi4py.MPI` was imported. The contents of `MPI` are in `bsbpool_sim.mpi`.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Mapping
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from .. import mpi
from ..mpi import initialization, pickling
from ..mpi.options import THREAD_LEVELS, THREAD_MULTIPLE, THREAD_SINGLE, Options, set_options
from ..python.process import current_process

PACKAGE = "mpi4py"
MODULE = "mpi4py.MPI"
#: What `bsbpool_sim.mpi` has besides what mpi4py has.
_OURS = frozenset({"current"})
#: What each rank has its own of: these names mean another thing on another rank.
_COMPUTED = ("COMM_SELF", "COMM_WORLD", "pickle")
_YES, _NO = (True, "yes"), (False, "no")


def is_installed() -> bool:
    """Return whether mpi4py is installed."""
    return PathFinder.find_spec(PACKAGE) is not None


class RankMPIModule(types.ModuleType):
    """The module `mpi4py.MPI` of one rank."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in _OURS:
            raise AttributeError(f"module {MODULE!r} has no attribute {name!r}")
        value = getattr(mpi, name)
        if isinstance(value, types.ModuleType):
            raise AttributeError(f"module {MODULE!r} has no attribute {name!r}")
        if name not in _COMPUTED:
            self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *names()})


def names() -> list[str]:
    """Return the names in `mpi4py.MPI`."""
    return sorted({*mpi.__all__, *_COMPUTED} - _OURS)


class MPILoader(Loader):
    """Makes the module `mpi4py.MPI` for a rank that imports it, and begins MPI there."""

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """Make the module, without anything in it."""
        return RankMPIModule(spec.name, mpi.__doc__)

    def exec_module(self, module: types.ModuleType) -> None:
        """Let MPI begin, with the options that the rank has."""
        module.__dict__["__all__"] = names()
        process = current_process()
        environment = {} if process is None else process.environment
        set_options(_read(sys.modules.get(f"{PACKAGE}.rc"), environment))
        _pickle(environment)
        initialization.begin()


def spec_of_mpi() -> ModuleSpec:
    """Return the spec by which a rank imports `mpi4py.MPI`."""
    spec = ModuleSpec(MODULE, MPILoader(), origin=mpi.__file__)
    spec.has_location = True
    return spec


def _read(rc: Any, environment: Mapping[Any, Any]) -> Options:
    """mpi4py's options: those of the environment, which `rc` is told; else those of `rc`."""
    read = _Reader(rc, environment)
    initialize = read.flag("initialize", True)
    threads = read.flag("threads", True)
    level = read.one_of("thread_level", (*THREAD_LEVELS,), "multiple")
    finalize = read.value("finalize", None)
    read.flag("fast_reduce", True)  # the order in which objects are reduced is that of the ranks, either way
    read.flag("recv_mprobe", True)  # a message is taken whole, either way
    room = read.value("irecv_bufsz", 1 << 15)
    if type(room) is not int or room < 0:
        room = read.unexpected("irecv_bufsz", room, 1 << 15)
    return Options(
        initialize,
        THREAD_LEVELS.get(level, THREAD_MULTIPLE) if threads else THREAD_SINGLE,
        initialize if finalize is None else read.flag("finalize", True),
        room,
        read.one_of("errors", ("exception", "default", "abort", "fatal"), "exception"),
    )


class _Reader:
    """Reads options one by one. An option that can't be understood causes a warning, and is ignored."""

    def __init__(self, rc: Any, environment: Mapping[Any, Any]):
        self._rc = rc
        self._environment = environment

    def value(self, name: str, default: Any) -> Any:
        """Return what the environment says, and tell `rc`; else what `rc` says."""
        text = self._environment.get(f"MPI4PY_RC_{name.upper()}".encode())
        if text is None:
            return getattr(self._rc, name, default)
        value: Any = text.decode().lower()
        if value.isdecimal() and type(default) is int:
            value = int(value)
        elif value in _TRUE or value in _FALSE:
            value = value in _TRUE
        if self._rc is not None:
            setattr(self._rc, name, value)
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Read an option that is true or false."""
        value = self.value(name, default)
        if value in _YES:
            return True
        return False if value in _NO else bool(self.unexpected(name, value, default))

    def one_of(self, name: str, values: tuple[str, ...], default: str) -> str:
        """Read an option that is a word."""
        value = self.value(name, default)
        return value if value in values else str(self.unexpected(name, value, default))

    def unexpected(self, name: str, value: Any, default: Any) -> Any:
        """Warn of a value; return what is used in its place."""
        warnings.warn(f"mpi4py.rc.{name}: unexpected value {value!r}", RuntimeWarning, stacklevel=2)
        return default


_TRUE = ("true", "t", "yes", "y", "on", "1")
_FALSE = ("false", "f", "no", "n", "off", "0")


def _pickle(environment: Mapping[Any, Any]) -> None:
    protocol, threshold = (environment.get(b"MPI4PY_PICKLE_" + name) for name in (b"PROTOCOL", b"THRESHOLD"))
    own = pickling.own_pickle() if protocol is not None or threshold is not None else None
    if own is not None and protocol is not None:
        own.PROTOCOL = int(protocol)
    if own is not None and threshold is not None:
        own.THRESHOLD = int(threshold)
