"""The objects of BSB's pool, with the object of this project that replaces each, and the names that refer to them."""

from __future__ import annotations

import ast
import functools
import gc
import inspect
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

from .. import exceptions
from .. import pool as ours
from ..exceptions import JobPoolError
from .versions import own_names

#: BSB's own errors of which ours are made a kind, as far as BSB has them in `bsb.exceptions`.
_ERRORS = ("DependencyError", "JobPoolError", "JobCancelledError", "JobPoolContextError", "JobSchedulingError")

Pairs = list[tuple[Any, Any]]


def pairs_of(theirs: types.ModuleType, errors: types.ModuleType) -> Pairs:
    """Return each object of BSB's pool with our object that replaces it."""
    pairs = [(old, getattr(ours, name)) for name, old in own_names(theirs)]
    pairs += [(getattr(errors, name), getattr(exceptions, name)) for name in _ERRORS]
    pairs += [(member, new[member.name]) for old, new in pairs if hasattr(old, "__members__") for member in old]
    return pairs


def cached_methods(decorator: Any) -> Iterator[tuple[Any, Any]]:
    """Return the methods that BSB's own `pool_cache` has decorated so far, with the original methods."""
    codes = [code for code in decorator.__code__.co_consts if isinstance(code, types.CodeType)]
    for cached in gc.get_objects():
        if type(cached) is functools._lru_cache_wrapper:
            within = cached.__wrapped__
            if getattr(within, "__code__", None) in codes:
                yield cached, inspect.getclosurevars(within).nonlocals["caching_function"]


def check_subclasses(pairs: Pairs) -> None:
    """Check that no class derives from one of BSB's: it could not be made to derive from ours."""
    known = [old for old, _ in pairs if isinstance(old, type)]
    if any(_derived(old, known) for old in known):
        gc.collect()  # Python may not have noticed that nobody has such a class any more
    for old in known:
        for derived in _derived(old, known):
            raise JobPoolError(
                f"{derived.__module__}.{derived.__qualname__} derives from BSB's own {old.__name__}: call "
                "bsbpool.bsb.install() before that class is made. Nothing was changed."
            )


def _derived(old: type, known: Sequence[type]) -> list[type]:
    """Return the classes that derive from one of BSB's, except errors, since ours are caught as BSB's anyway."""
    derived: list[type] = old.__subclasses__()
    return [each for each in derived if each not in known and not issubclass(each, BaseException)]


def _modules() -> Iterator[types.ModuleType]:
    """Return all modules except those of this project."""
    for module in list(sys.modules.values()):
        if isinstance(module, types.ModuleType) and _top(module) not in ("bsbpool", "bsbpool_sim"):
            yield module


def _top(module: types.ModuleType) -> str:
    return module.__name__.partition(".")[0]


def names_of_ours(pairs: Pairs) -> set[tuple[str, str]]:
    """Return where modules hold our objects: these were imported from this project, and are kept."""
    mine = {id(new) for _, new in pairs}
    return {
        (module.__name__, name) for module in _modules() for name, value in vars(module).items() if id(value) in mine
    }


def give_back(pairs: Pairs, before: set[tuple[str, str]]) -> None:
    """Restore the names that modules imported from BSB while this was installed."""
    old_of = {id(new): old for old, new in pairs}
    for module in _modules():
        names = [
            name
            for name, value in vars(module).items()
            if id(value) in old_of and (module.__name__, name) not in before
        ]
        if names:
            kept = _imported_from_us(module) if not _top(module).startswith("bsb") else ()
            for name in names:
                if name not in kept:
                    setattr(module, name, old_of[id(vars(module)[name])])


def _imported_from_us(module: types.ModuleType) -> set[str]:
    """Return the names that a module imports from this project, by its source; none if there is no source."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return set()
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").partition(".")[0] == "bsbpool"
        for alias in node.names
    }
