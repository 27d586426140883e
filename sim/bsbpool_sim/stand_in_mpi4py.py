"""What simulated ranks find as `mpi4py` and `mpi4py.MPI`, also where the real ones are not installed.

The simulated MPI itself is the package `mpi`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from greenlet import getcurrent

from . import mpi
from .kernel import Task


class _Dispatching(types.ModuleType):
    """The real `mpi4py.MPI`, with the simulator's attributes for simulated ranks."""

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
    """Stands for `mpi4py.MPI` where the real one is not imported."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if isinstance(getcurrent(), Task) or sys.modules.get("mpi4py.MPI") is self:
            return getattr(mpi, name)
        # Kept by a module that was first imported during a simulation, and is used for real after it.
        return getattr(importlib.import_module("mpi4py.MPI"), name)


class _Options(types.SimpleNamespace):
    """Stands for `mpi4py.rc`: it accepts all options, and ignores them."""

    def __call__(self, **options: Any) -> None:
        self.__dict__.update(options)


class _Package(types.ModuleType):
    """Stands for the package mpi4py where it is not imported. It gives access to the installed parts."""

    def __init__(self, name: str, doc: str):
        super().__init__(name, doc)
        installed = _installed()
        self.__path__ = [] if installed is None else [*(installed.submodule_search_locations or ())]
        self.rc = _Options()
        self.__version__ = "4.1"

    def __getattr__(self, name: str) -> Any:
        installed = _installed()
        if name.startswith("__") or installed is None or installed.loader is None:
            raise AttributeError(f"module 'mpi4py' has no attribute {name!r}")
        real_package = importlib.util.module_from_spec(installed)
        installed.loader.exec_module(real_package)
        return getattr(real_package, name)


@functools.cache
def _installed() -> ModuleSpec | None:
    """Where mpi4py is installed; None: it is not."""
    return PathFinder.find_spec("mpi4py")


def _forget_all(package: types.ModuleType) -> None:
    """Forget the stand-in of a package, and what was imported below it meanwhile."""
    _forget(package.__name__, package)
    if not any(isinstance(each, types.ModuleType) for each in vars(package).values()):
        return  # an import binds what it has imported in the package: most simulations import nothing there
    for name in [*sys.modules]:
        if name.startswith(package.__name__ + ".") and name != "mpi4py.MPI":
            del sys.modules[name]


def install_mpi(undo: list[Callable[[], None]]) -> None:
    """Let simulated ranks find the simulated MPI.

    :param undo: gets what undoes it, each before it is needed; each may be called twice.
    """
    module = sys.modules.get("mpi4py.MPI")
    if module is not None:
        before = type(module)
        undo.append(lambda: setattr(module, "__class__", before))
        module.__class__ = _Dispatching
        return
    package: Any = sys.modules.get("mpi4py")
    if package is None:
        package = _Package("mpi4py", "The simulator's stand-in for mpi4py.")
        undo.append(lambda: _forget_all(package))
        sys.modules["mpi4py"] = package
    stand_in = _StandIn("mpi4py.MPI", "The simulator's stand-in for mpi4py.MPI.")
    undo.append(lambda: vars(package).pop("MPI", None))
    undo.append(lambda: _forget("mpi4py.MPI", stand_in))
    sys.modules["mpi4py.MPI"] = stand_in
    package.MPI = stand_in


def _forget(name: str, module: types.ModuleType) -> None:
    if sys.modules.get(name) is module:
        del sys.modules[name]
