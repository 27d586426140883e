"""Makes BSB use this pool, and undoes that.

The single steps belong in the other files of this package.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from .. import host
from .. import pool as ours
from ..exceptions import DependencyError, JobPoolError
from ..pool.open_pools import open_pools
from .agreeing import after_agreeing
from .counterparts import cached_methods, check_subclasses, give_back, names_of_ours, pairs_of
from .hooks import HooksOfBSB
from .locking import KNOWN, waits_asleep
from .replacing import put_above, replace
from .undoing import installed, keep_undo, set_attribute, take_all_back, take_back
from .versions import check_version


def install() -> None:
    """Make BSB use this pool in this process. Every rank calls it, at any time when no pool is open.

    It imports BSB if that was not done. A second call does nothing.

    :raises DependencyError: BSB is not installed, or its pool is not one that this project knows.
    :raises JobPoolError: a pool is open.
    """
    if installed():
        return
    check_version()
    theirs: Any = importlib.import_module("bsb.services.pool")
    _check_no_pool("install", theirs)
    core = importlib.import_module("bsb.core")
    undo: list[Callable[[], Any]] = []
    try:
        _install(theirs, core, undo)
    except BaseException:
        take_back(undo)
        raise
    keep_undo(undo)


def uninstall() -> None:
    """Make BSB use its own pool again. Names that were imported from BSB meanwhile refer to BSB's objects again.

    :raises JobPoolError: a pool is open.
    """
    if not installed():
        return
    _check_no_pool("uninstall", sys.modules["bsb.services.pool"])
    take_all_back()


def _install(theirs: types.ModuleType, core: types.ModuleType, undo: list[Callable[[], Any]]) -> None:
    errors = importlib.import_module("bsb.exceptions")
    services = importlib.import_module("bsb.services")
    pairs = pairs_of(theirs, errors)
    pairs += [(cached, ours.pool_cache(method)) for cached, method in cached_methods(theirs.pool_cache)]
    check_subclasses(pairs)
    before = names_of_ours(pairs)
    undo.append(lambda: give_back(pairs, before))
    # Services that a user has replaced.
    for module in (theirs, services, errors):
        for old, new in pairs:
            name = getattr(old, "__name__", "")
            if isinstance(vars(module).get(name), type(old)) and vars(module)[name] is not new:
                set_attribute(module, name, new, undo)
    replace(pairs, undo)
    for old, new in pairs:
        if isinstance(old, type) and issubclass(old, BaseException):
            put_above(new, old, undo)
    set_attribute(core.Scaffold, "create_job_pool", after_agreeing(core.Scaffold.create_job_pool), undo)
    set_attribute(host, "current", HooksOfBSB(), undo)
    lock = services.MPILock  # BSB's stand-in where mpilock is missing, or a user's
    if isinstance(lock, types.ModuleType) and lock.__name__ == "mpilock" and lock.__version__ in KNOWN:
        set_attribute(lock, "sync", waits_asleep(lock), undo)
    # What `bsb` has handed out, it keeps: `bsb.JobPool`.
    _forget()
    undo.append(_forget)


def _forget() -> None:
    getattr(vars(sys.modules["bsb"]).get("__getattr__"), "cache_clear", lambda: None)()


def _check_no_pool(what: str, theirs: Any) -> None:
    """Check that no pool is open: half of its objects would be replaced."""
    own = getattr(theirs.JobPool, "_pools", {}) if theirs.JobPool is not ours.JobPool else {}
    if own or open_pools():
        raise JobPoolError(
            f"{what}() was called while {'a pool of BSB' if own else 'a pool'} is open: call it before the pool opens, "
            "or after its `with` block. Nothing was changed."
        )


def main(arguments: Iterable[str] | None = None) -> None:
    """Run a command of BSB's own `bsb` with this pool.

    :param arguments: the arguments of `bsb`; by default those of this process.
    """
    if arguments is not None:
        sys.argv[1:] = arguments
    sys.argv[0] = "bsb"
    try:
        install()
    except DependencyError as error:
        sys.exit(f"bsbpool: {error}")
    from bsb.cli import handle_cli

    handle_cli()
