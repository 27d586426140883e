"""Decides which modules are a program's own, so that each rank loads them for itself. All other modules are shared.

A program's own modules are those that are neither Python's nor installed (beside the script, below the working
directory, installed in development mode), those that the user names, and installed ones in pure Python that import
mpi4py or such a module. The decision applies to a whole top-level package. Loading them belongs in `modules`.
"""

from __future__ import annotations

import functools
import glob
import importlib.machinery
import os
import re
import site
import sys
import sysconfig
from collections.abc import Collection, Iterator

from bsbpool.frames import OWN_PACKAGES, TOOLS

#: Programs that consist of several packages: who runs one runs all of them.
_PARTS = {"pytest": ("pytest", "_pytest", "pluggy")}

_EXTENSIONS = tuple(importlib.machinery.EXTENSION_SUFFIXES)
_TAKES_MPI = re.compile(rb"^[ \t]*(?:from|import)[ \t]+mpi4py\b", re.MULTILINE)
_REPLACES = re.compile(
    rb"(?:^|;)[ \t]*(?:import[ \t][^#\n]*\bbsbpool\.bsb\b|from[ \t]+bsbpool\.bsb[ \t]|"
    rb"from[ \t]+bsbpool[ \t]+import\b[^#\n]*\bbsb\b)",
    re.MULTILINE,
)
_IMPORTS = re.compile(rb"^(?: {4})?(?:from|import)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)


@functools.lru_cache(maxsize=4096)
def _resolved(path: str) -> str:
    """A path without links. It is asked for each module that is loaded, in each run of a program."""
    return os.path.realpath(path)


def _folder(path: str) -> str:
    return os.path.join(_resolved(path), "")


_PYTHON = tuple({_folder(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")})


@functools.cache
def installed_folders() -> tuple[str, ...]:
    """Return the folders in which packages are installed."""
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    return tuple({_folder(path) for path in (*paths, site.getusersitepackages())})


#: The last folder of a path below which packages are installed, in this Python or in another that is on `sys.path`.
_NAMES_OF_FOLDERS = frozenset({"site-packages", "dist-packages"})


@functools.lru_cache(maxsize=256)
def _recorded(folder: str) -> frozenset[str]:
    """Return which files and folders right in a folder are packages that were installed there, as by pip --target."""
    names = set[str]()
    for record in glob.glob(os.path.join(glob.escape(folder), "*.dist-info", "RECORD")):
        with open(record, encoding="utf-8", errors="surrogateescape") as lines:
            names.update(line.partition(",")[0].partition("/")[0].strip('"') for line in lines)
    return frozenset(names)


def replaces_pool(name: str, kind: str) -> bool:
    """Return whether a program imports `bsbpool.bsb`, which changes bsbpool's classes to fit the BSB of one rank.

    :param name: the path of a script, or code.
    :param kind: which of both: ``script`` or ``code``.
    """
    if kind == "code":
        return _REPLACES.search(name.encode(errors="surrogateescape")) is not None
    if kind != "script" or not os.path.isfile(name):
        return False
    with open(name, "rb") as source:
        return _REPLACES.search(source.read()) is not None


def _top(name: str) -> str:
    return name.partition(".")[0]


class Ownership:
    """Decides which modules each rank loads for itself.

    :param named: modules that are the program's, wherever they are; each stands for its top-level package.
    :param shared: modules that all ranks share, though they would be the program's.
    """

    def __init__(self, named: Collection[str] = (), shared: Collection[str] = ()):
        self._installed = installed_folders()
        self._known: dict[str, bool] = dict.fromkeys((*sys.builtin_module_names, *OWN_PACKAGES, *TOOLS), False)
        for name in map(_top, named):
            self._known.update(dict.fromkeys(_PARTS.get(name, (name,)), True))
        self._known.update(dict.fromkeys(map(_top, shared), False))
        self._known["__main__"] = True
        self._facts: dict[str, tuple[bool, bool, frozenset[str]]] = {}

    def known(self, name: str) -> bool | None:
        """Return what was decided for the package of a module; None if nothing was decided yet."""
        return self._known.get(_top(name))

    def decide(self, name: str, file: str | None, folders: Collection[str] = ()) -> bool:
        """Decide whether each rank loads a top-level module for itself.

        :param file: where it is loaded from; None: from no file.
        :param folders: where its submodules are, if it is a package.
        """
        if name not in self._known:
            self._known[name] = self._decide(name, file, folders)
        return self._known[name]

    def _decide(self, name: str, file: str | None, folders: Collection[str]) -> bool:
        where = file or next(iter(folders), None)
        if where is None:
            return name not in sys.stdlib_module_names  # made by hand
        where = _resolved(where)
        return self._takes_mpi(name, where, bool(folders)) if self._is_installed(where) else self.is_local(where)

    def _is_installed(self, where: str) -> bool:
        """Whether a file belongs to an installed package: of this Python, or of one that PYTHONPATH leads to."""
        if where.startswith(self._installed) or not _NAMES_OF_FOLDERS.isdisjoint(where.split(os.sep)):
            return True
        if where.startswith(_PYTHON):
            return False
        for entry in {_folder(path) for path in sys.path if isinstance(path, str)}:
            if where.startswith(entry) and where.removeprefix(entry).partition(os.sep)[0] in _recorded(entry):
                return True
        return False

    def is_local(self, file: str) -> bool:
        """Return whether a file is neither part of Python, nor installed, nor compiled."""
        where = _resolved(file)
        return not (where.endswith(_EXTENSIONS) or where.startswith(_PYTHON) or self._is_installed(where))

    # -- installed packages that have to do with mpi4py ------------------------------------------------

    def _takes_mpi(self, name: str, where: str, is_package: bool) -> bool:
        """Whether an installed package imports mpi4py, or another one that each rank has for itself."""
        compiled, takes, imports = self._facts_of(name, where, is_package)
        if compiled:
            return False
        seen, left = {name}, [*imports]
        while not takes and left:
            other = left.pop()
            takes = self._known.get(other, False)
            if other in seen or other in sys.stdlib_module_names or other in self._known:
                continue
            seen.add(other)
            spec = importlib.machinery.PathFinder.find_spec(other)
            origin = spec.origin if spec is not None else None
            if spec is None or origin is None or not self._is_installed(_resolved(origin)):
                continue
            compiled, others, more = self._facts_of(
                other, _resolved(origin), spec.submodule_search_locations is not None
            )
            if not compiled:
                takes = takes or others
                left += more
        return takes

    def _facts_of(self, name: str, where: str, is_package: bool) -> tuple[bool, bool, frozenset[str]]:
        """Of an installed package: is it compiled, does it import mpi4py, and what else does it import?"""
        if name not in self._facts:
            self._facts[name] = self._read(where, is_package)
        return self._facts[name]

    def _read(self, where: str, is_package: bool) -> tuple[bool, bool, frozenset[str]]:
        takes, imports = False, set[str]()
        for file in _files(where, is_package):
            if file.endswith(_EXTENSIONS):
                return True, False, frozenset()
            if file.endswith(".py"):
                with open(file, "rb") as source:
                    text = source.read()
                takes = takes or _TAKES_MPI.search(text) is not None
                imports.update(found.decode() for found in _IMPORTS.findall(text))
        return False, takes, frozenset(imports)


def _files(where: str, is_package: bool) -> Iterator[str]:
    if not is_package:
        yield where
        return
    for folder, _, files in os.walk(os.path.dirname(where)):
        for file in files:
            yield os.path.join(folder, file)
