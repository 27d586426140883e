"""The modules of each rank: the contents of `sys.modules` while a rank runs, and loading a module once for each rank.

There is one `sys.modules`, whose address C code uses. So when the kernel lets another rank run, that rank's own modules
are put into it by one `dict.update`, which takes less than 0.1 µs for each. A module's code is compiled once for all
ranks. `module_ownership` decides which modules are a program's own.
"""

from __future__ import annotations

import operator
import os
import sys
import types
from collections.abc import Callable, Sequence
from importlib.abc import Loader
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from typing import Any

from greenlet import getcurrent

from ..kernel import Rank, Task
from .module_ownership import Ownership

#: Modules that any Python has loaded before it runs a program; a program's file of that name is never found.
_AT_START = frozenset((
    "sys", "builtins", "abc", "codecs", "encodings", "io", "os", "stat", "site", "posixpath", "ntpath", "genericpath",
    "zipimport", "marshal", "time", "posix", "nt", "_collections_abc", "_sitebuiltins", "importlib", "__main__",
))  # fmt: skip


class RankModules:
    """The entries of `sys.modules` that a rank has for itself; `names` are the keys of `own`."""

    __slots__ = ("names", "own", "stale")

    def __init__(self, own: dict[str, Any], names: frozenset[str]):
        self.own = own
        self.names = names
        #: whether something may have been put in another's place since this rank runs.
        self.stale = False

    def differs(self, modules: dict[str, Any]) -> bool:
        """Return whether the rank has replaced any of these modules."""
        return any(map(operator.is_not, map(modules.get, self.own), self.own.values()))


class Modules:
    """The modules of all ranks of a simulation, and those of the process outside of it.

    :param ownership: which modules each rank loads for itself.
    :param folder: where the program's first modules are found: that of its script.
    """

    def __init__(self, ownership: Ownership, folder: str):
        self.ownership = ownership
        self.codes: dict[tuple[str, int, int], types.CodeType] = {}
        self.extensions: dict[str, types.ModuleType] = {}
        self.found: dict[tuple[str, tuple[str, ...]], tuple[str, list[str] | None]] = {}
        self._modules = sys.modules
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        hidden = self._hidden(folder)
        self.outside = RankModules({name: sys.modules[name] for name in hidden}, self._interned(hidden))
        self._shared = sys.modules.keys() - hidden
        self._of: list[RankModules] = []
        #: called with the rank, right after its modules are there; None: nobody wants to know.
        self.on_switch: Callable[[Rank], None] | None = None
        self._current = self.outside
        self._count = len(sys.modules)

    def _interned(self, names: set[str]) -> frozenset[str]:
        frozen = frozenset(names)
        return self._sets.setdefault(frozen, frozen)

    def _hidden(self, folder: str) -> set[str]:
        """What ranks don't see of what is loaded: what is the program's own, and what its own modules stand before."""
        try:
            beside = {name.removesuffix(".py") for name in os.listdir(folder)}
        except OSError:
            beside = set()
        tops, within = set(), []
        for name, module in [*sys.modules.items()]:
            if "." in name:
                within.append(name)
                continue
            if name in beside and name not in _AT_START and not _is_in(_file_of(module), folder):
                with_file = os.path.join(folder, name)
                if os.path.isfile(with_file + ".py") or os.path.isfile(os.path.join(with_file, "__init__.py")):
                    tops.add(name)
                    continue
            # Installed ones that are loaded already belong to who simulates, which is no program for mpi4py.
            known = self.ownership.known(name)
            if known or (known is None and (file := _file_of(module)) and self.ownership.is_local(file)):
                tops.add(name)
        return tops.union([name for name in within if name.partition(".")[0] in tops])

    # -- whose turn it is --------------------------------------------------------------------------

    def begin(self, ranks: int) -> None:
        """Prepare for this number of ranks, none of which has loaded any module."""
        nothing = self._interned(set())
        self._of = [RankModules({}, nothing) for _ in range(ranks)]

    def enter(self, rank: Rank) -> None:
        """Let `sys.modules` contain the modules of `rank`, which runs next."""
        after = self._of[rank.index]
        if after is not self._current:
            self._switch(after)
            if self.on_switch is not None:
                self.on_switch(rank)

    def leave(self) -> None:
        """Let `sys.modules` contain what it contains outside of the simulation."""
        if self._current is not self.outside:
            self._switch(self.outside)

    def _switch(self, after: RankModules) -> None:
        before, modules = self._current, self._modules
        if len(modules) != self._count or before.stale or before.differs(modules):
            self._take_stock(before)
        elif (main := modules.get("__main__")) is not None:  # which a program may replace
            before.own["__main__"] = main
        if before.names is not after.names:
            for name in before.names - after.names:
                modules.pop(name, None)
        modules.update(after.own)
        self._count = len(modules)
        self._current = after

    def _take_stock(self, rank: RankModules) -> None:
        """See which modules came or went since a rank began to run."""
        modules = self._modules
        names = {name for name in rank.names if name in modules}
        for name in modules.keys() - self._shared - names:
            if self.is_own(name, modules[name]):
                names.add(name)
            else:
                self._shared.add(name)
        rank.own = {name: modules[name] for name in names}
        rank.names = self._interned(names)
        rank.stale = False

    def is_own(self, name: str, module: Any) -> bool:
        """Return whether a loaded module belongs to one rank only."""
        top = name.partition(".")[0]
        known = self.ownership.known(top)
        if known is None:
            known = self.ownership.decide(top, *_places(self._modules.get(top, module)))
        return known

    def of(self, rank: int) -> list[types.ModuleType]:
        """Return the modules that a rank has for itself."""
        return [each for each in self._of[rank].own.values() if isinstance(each, types.ModuleType)]

    def loaded(self) -> list[types.ModuleType]:
        """Return the modules that the running rank has for itself now, by their names."""
        if len(self._modules) != self._count:
            self._take_stock(self._current)
            self._count = len(self._modules)
        found = [self._modules.get(name) for name in sorted(self._current.names)]
        return [each for each in found if isinstance(each, types.ModuleType)]

    def running(self) -> RankModules:
        """Return the modules that the running rank has for itself."""
        return self._current

    def has_loaded(self, name: str, but: int) -> int | None:
        """Return a rank that has loaded a module, other than this one; None if no other rank has."""
        return next((index for index, of in enumerate(self._of) if index != but and name in of.own), None)


def _file_of(module: Any) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None


def _places(module: Any) -> tuple[str | None, list[str]]:
    try:
        folders = [*getattr(module, "__path__", ())]
    except Exception:  # what stands in `sys.modules` may be any object, which answers as it likes
        folders = []
    return _file_of(module), folders


def _is_in(file: str | None, folder: str) -> bool:
    return file is not None and os.path.realpath(file).startswith(os.path.join(os.path.realpath(folder), ""))


# -- loading -------------------------------------------------------------------------------------------------


class Finder:
    """The first finder in a rank's `sys.meta_path`: it finds the modules that the rank loads for itself."""

    def __init__(self, modules: Modules):
        self._modules = modules

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """What Python's import calls."""
        if not isinstance(getcurrent(), Task):
            return None
        modules = self._modules
        known = modules.ownership.known(name)
        if known is False:
            return None
        modules.running().stale = True
        where = (name, tuple(sys.path if path is None else path))
        if (found := modules.found.get(where)) is not None:
            return self._spec(name, *found)
        spec = self._search(name, path, target)
        if spec is None:
            return None
        if known is None:
            known = modules.ownership.decide(name.partition(".")[0], _file(spec), spec.submodule_search_locations or ())
        if not known:
            return spec
        if type(spec.loader) is SourceFileLoader and spec.origin is not None:
            folders = spec.submodule_search_locations
            modules.found[where] = (spec.origin, None if folders is None else [*folders])
            return self._spec(name, *modules.found[where])
        if isinstance(spec.loader, ExtensionFileLoader):
            spec.loader = _Given(spec.loader, modules)
        return spec

    def _search(self, name: str, path: Any, target: Any) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec: ModuleSpec | None = find(name, path, target)
                if spec is not None:
                    return spec
        return None

    def _spec(self, name: str, origin: str, folders: list[str] | None) -> ModuleSpec | None:
        loader = _Compiled(name, origin, self._modules)
        return spec_from_file_location(name, origin, loader=loader, submodule_search_locations=folders and [*folders])

    def invalidate_caches(self) -> None:
        """What `importlib.invalidate_caches` calls."""
        self._modules.found.clear()


def _file(spec: ModuleSpec) -> str | None:
    return spec.origin if spec.has_location else None


class _Compiled(SourceFileLoader):
    """A loader of modules in Python, which compiles the source once for all ranks."""

    def __init__(self, name: str, path: str, modules: Modules):
        super().__init__(name, path)
        self._codes = modules.codes

    def get_code(self, fullname: str) -> types.CodeType | None:
        of = os.stat(self.path)
        key = (self.path, of.st_mtime_ns, of.st_size)
        code = self._codes.get(key)
        if code is None:
            code = super().get_code(fullname)
            assert code is not None
            self._codes[key] = code
        return code


class _Given(Loader):
    """A loader of a compiled module in a program's package, which is loaded once and shared by all ranks."""

    def __init__(self, loader: ExtensionFileLoader, modules: Modules):
        self._loader, self._given = loader, modules.extensions

    def create_module(self, spec: ModuleSpec) -> Any:
        """The module, as it was loaded by the first rank."""
        return self._given.get(spec.name) or self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        """Load it, the first time."""
        name = module.__name__
        if name not in self._given:
            self._loader.exec_module(module)
            self._given[name] = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
