"""The modules of simulated ranks in tests with `comm`: each rank loads the test's module, and the user's, for itself.

pytest has imported a test's module once, outside of all ranks. Ranks have copies, which persist from test to test, as
in a process, for each number of ranks. `python.module_ownership` decides which modules these are, and `python.modules`
exchanges them. Values that come into them from outside, such as parameters, belong in `own_objects`.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from greenlet import getcurrent

from bsbpool.frames import OWN_PACKAGES

from ..cluster import Cluster
from ..kernel import Task
from ..mpi.communicators import reattach
from ..program import package
from ..python.module_ownership import Ownership
from ..python.modules import Finder, Modules
from .own_objects import Counterparts, Outside
from .rank_settings import move_to, processes_of_ranks

_WORLDS: pytest.StashKey[dict[int, OwnModules]] = pytest.StashKey()
_OUTSIDE: pytest.StashKey[_Outside] = pytest.StashKey()


class _Outside(Outside):
    """What ranks have counterparts of, in a run of pytest."""

    def __init__(self, config: pytest.Config):
        named = [*config.getini("ranks_own"), *([package.PACKAGE] if package.is_installed() else [])]
        self.ownership = Ownership([n for n in named if n not in sys.stdlib_module_names], config.getini("ranks_share"))
        super().__init__(self.owns)
        self._looked = 0

    def owns(self, module: types.ModuleType) -> bool:
        """Whether ranks have modules of their own in place of this one."""
        name = module.__name__
        known = self.ownership.known(name)
        if known is None:
            top = sys.modules.get(name.partition(".")[0], module)
            file, folders = getattr(top, "__file__", None), [*getattr(top, "__path__", ())]
            where = file or next(iter(folders), None)
            # Installed ones that were imported before belong to nobody's program, unless they have taken mpi4py.
            if where is None or (not self.ownership.is_local(where) and not _has_mpi(module)):
                return False
            known = self.ownership.decide(top.__name__, file, folders)
        return known and not _is_mpi4py(name)

    def look(self) -> None:
        """See what was imported since the last time, before the fixtures of a test change it."""
        if len(sys.modules) != self._looked:
            mpi = sys.modules.get(package.MODULE)
            self.mpi = None if mpi is None else vars(mpi)
            self._looked = len(sys.modules)
            self.note([each for each in [*sys.modules.values()] if isinstance(each, types.ModuleType)])


def _has_mpi(module: types.ModuleType) -> bool:
    if package.PACKAGE not in sys.modules:
        return False
    return any(
        _is_mpi4py(value.__name__ if isinstance(value, types.ModuleType) else type(value).__module__)
        for value in [*vars(module).values()]
    )


def _is_mpi4py(name: Any) -> bool:
    return isinstance(name, str) and name.partition(".")[0] == package.PACKAGE


def look_outside(config: pytest.Config) -> None:
    """Keep in mind what the user's modules are like before a test's fixtures are set up."""
    if _OUTSIDE not in config.stash:
        config.stash[_OUTSIDE] = _Outside(config)
    config.stash[_OUTSIDE].look()


def modules_of(config: pytest.Config, size: int) -> OwnModules:
    """The modules of so many ranks."""
    worlds = config.stash.setdefault(_WORLDS, {})
    if size not in worlds:
        worlds[size] = OwnModules(config.stash[_OUTSIDE], size)
    return worlds[size]


class OwnModules:
    """The modules of so many simulated ranks, from test to test."""

    def __init__(self, outside: _Outside, size: int):
        self._outside = outside
        self._size = size
        self._cluster: Cluster | None = None
        self.forget()

    def forget(self) -> None:
        """Let the ranks load all of their modules anew."""
        self._modules = Modules(self._outside.ownership, "")
        self._modules.begin(self._size)
        self._modules.on_switch = move_to
        self._finder = _Finder(self._modules)
        self._counterparts = [Counterparts(self._outside, self._finder.load) for _ in range(self._size)]
        self._cluster = None
        self.processes = processes_of_ranks(self._size)
        #: whether ranks got stuck: then they load their modules anew, on the next ranks.
        self.spoiled = False

    @contextmanager
    def on(self, cluster: Cluster) -> Iterator[None]:
        """While entered, these are the modules of the ranks of a cluster."""
        if self._cluster not in (None, cluster) and (self.spoiled or self._holds_something_of(self._cluster)):
            self.forget()
        modules, kernel = self._modules, cluster.kernel
        if self._cluster is not cluster:
            if self._cluster is not None:
                reattach(self._cluster, cluster)
            self._cluster = cluster
        kernel.on_turn = kernel.on_close = modules.enter
        before = _of_mpi4py()
        modules.outside.stale = True
        sys.meta_path.insert(0, self._finder)
        try:
            yield
        finally:
            sys.meta_path.remove(self._finder)
            modules.leave()
            for name in _of_mpi4py() - before:  # what stood for it while ranks ran is over
                del sys.modules[name]
            kernel.on_turn = kernel.on_close = None

    def of(self, rank: int, module: types.ModuleType) -> Counterparts:
        """What a rank has in place of what is outside; called on the rank.

        :param module: the test's, which the rank loads if it has not yet.
        """
        of_rank = self._counterparts[rank]
        if self._outside.owns(module):
            self._finder.load(module.__name__)
        of_rank.follow()
        return of_rank

    def _holds_something_of(self, cluster: Cluster) -> bool:
        """Whether modules hold a communicator of a cluster, other than its first, or a window or file that is open."""
        left = cluster.left()
        held = {id(each) for each in left}
        if not held:
            return False
        owns = self._outside.ownership.known
        for rank in range(self._size):
            spaces = [vars(each) for each in self._modules.of(rank) if not _is_mpi4py(each.__name__)]
            if _reaches(spaces, held, owns):
                return True
        return False


def _reaches(spaces: list[dict[str, Any]], wanted: set[int], owns: Callable[[str], bool | None]) -> bool:
    """Whether one of these objects is reached from the variables of modules."""
    seen, left = set(map(id, spaces)), [*spaces]
    for each in left:
        for found in gc.get_referents(each):
            if id(found) in wanted:
                return True
            if id(found) in seen or isinstance(found, types.ModuleType | str | int | float | types.CodeType):
                continue
            if isinstance(found, type | types.FunctionType) and not owns(found.__module__ or ""):
                continue
            if type(found).__module__.partition(".")[0] in OWN_PACKAGES:
                if id(getattr(found, "_state", None)) in wanted:
                    return True
                continue  # all that is simulated is reached from one communicator
            seen.add(id(found))
            left.append(found)
    return False


def _of_mpi4py() -> set[str]:
    return {name for name in sys.modules if _is_mpi4py(name)}


class _Finder(Finder):
    """Finds what a rank loads for itself where pytest has found it, with assertions that say more."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if not isinstance(getcurrent(), Task):
            return None
        if name == package.MODULE and package.PACKAGE in sys.modules:
            return package.spec_of_mpi()
        outer = self._modules.outside.own.get(name)
        if isinstance(outer, types.ModuleType) and not _is_mpi4py(name) and self._modules.ownership.known(name):
            return self._as_outside(name, outer) or super().find_spec(name, path, target)
        return super().find_spec(name, path, target)

    def load(self, name: str) -> None:
        """Let the rank that runs have a module."""
        if name in sys.modules:
            return
        parent = name.rpartition(".")[0]
        if parent:
            importlib.import_module(parent)
        self._modules.running().stale = True
        spec = self.find_spec(name)
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        if parent:
            setattr(sys.modules[parent], name.rpartition(".")[2], sys.modules[name])

    def _as_outside(self, name: str, outer: types.ModuleType) -> ModuleSpec | None:
        of = outer.__spec__
        self._modules.running().stale = True
        if of is None or of.origin is None:
            if not hasattr(outer, "__path__"):
                return None
            empty = ModuleSpec(name, None, is_package=True)
            empty.submodule_search_locations = [*outer.__path__]
            return empty
        folders = of.submodule_search_locations
        if type(of.loader).__name__ == "AssertionRewritingHook":
            loader: Any = _Rewritten(name, of.origin, of.loader, self._modules.codes)
        elif type(of.loader) is SourceFileLoader:
            return self._spec(name, of.origin, None if folders is None else [*folders])
        else:
            return None
        return spec_from_file_location(
            name, of.origin, loader=loader, submodule_search_locations=folders and [*folders]
        )


class _Rewritten(SourceFileLoader):
    """Loads a module as pytest does, with its assertions rewritten; once for all ranks."""

    def __init__(self, name: str, path: str, hook: Any, codes: dict[tuple[str, int, int], types.CodeType]):
        super().__init__(name, path)
        self._hook, self._codes = hook, codes

    def get_code(self, fullname: str) -> types.CodeType | None:
        from _pytest.assertion import rewrite

        of = os.stat(self.path)
        key = (self.path, of.st_mtime_ns, of.st_size)
        code = self._codes.get(key)
        if code is None:
            file = Path(self.path)
            kept = rewrite.get_cache_dir(file) / (file.name[:-3] + rewrite.PYC_TAIL)
            code = rewrite._read_pyc(file, kept) or rewrite._rewrite_test(file, self._hook.config)[1]
            self._codes[key] = code
        return code
