"""Makes the Brain Scaffold Builder (BSB) use this pool. All code that is specific to BSB is here.

    import bsbpool.bsb
    bsbpool.bsb.install()                          in a program, on every rank

    python -m bsbpool.bsb compile network.json     any command of BSB's own `bsb`

`install` puts this project's objects in place of those of `bsb.services.pool`. Modules, classes, default arguments and
collections that hold one of BSB's objects by then hold ours afterwards, so that `isinstance`, comparisons of
statuses and the like hold everywhere, whenever a name was imported.

Errors need more than that. `except` looks at the real base classes of what was raised, and BSB's errors are
`ScaffoldError`s, which users catch. So while this is installed our errors derive from BSB's own: whoever catches
BSB's `JobPoolError`, `ScaffoldError` or `WorkflowError`, by whichever name, catches ours. A second set of classes that
derive from both would do for `except`, but then an error would be of a class that neither side has a name for.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import importlib
import inspect
import os
import shutil
import sys
import types
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Any

from . import exceptions, host
from . import pool as ours
from .exceptions import DependencyError, JobPoolError
from .pool import inside
from .pool.open_pools import open_pools
from .worlds import world_of

__all__ = ["TESTED", "install", "installed", "main", "uninstall", "version"]

#: The versions of bsb-core with which this project is tested: the last in all tests, the others by whole compiles on 1
#: and on 3 ranks.
TESTED = ("7.6.0", "7.6.1", "8.0.0", "8.0.1", "8.0.2")

#: BSB's own errors of which ours are made a kind; those that BSB has in `bsb.exceptions`, and those of its pool.
_ERRORS = ("DependencyError", "JobPoolError", "JobCancelledError", "JobPoolContextError", "JobSchedulingError")
_ERRORS_OF_POOL = ("JobErroredError", "WorkflowError")

#: Functions that undo what `install` did, in the order in which it was done; None if it is not installed.
_undo: list[Callable[[], Any]] | None = None


def version() -> str | None:
    """Return the version of BSB that is installed.

    :returns: the version of bsb-core; None if it is not installed.
    """
    try:
        return metadata.version("bsb-core")
    except metadata.PackageNotFoundError:
        return None


def installed() -> bool:
    """Return whether BSB uses this pool in this process.

    :returns: True after `install`, until `uninstall`.

    >>> import bsbpool.bsb
    >>> bsbpool.bsb.installed()
    False
    """
    return _undo is not None


def install() -> None:
    """Make BSB use this pool in this process. Every rank calls it, at any time when no pool is open.

    It imports BSB if that was not done. A second call does nothing.

    :raises DependencyError: BSB is not installed, or its pool is not one that this project knows.
    :raises JobPoolError: a pool is open.
    """
    global _undo
    if _undo is not None:
        return
    _check_version()
    theirs: Any = importlib.import_module("bsb.services.pool")
    _check_no_pool("install", theirs)
    core = importlib.import_module("bsb.core")
    undo: list[Callable[[], Any]] = []
    try:
        _install(theirs, core, undo)
    except BaseException:
        _take_back(undo)
        raise
    _undo = undo


def uninstall() -> None:
    """Make BSB use its own pool again. Names that were imported from BSB meanwhile refer to BSB's objects again.

    :raises JobPoolError: a pool is open.
    """
    global _undo
    if _undo is None:
        return
    _check_no_pool("uninstall", sys.modules["bsb.services.pool"])
    undo, _undo = _undo, None
    _take_back(undo)


def _install(theirs: types.ModuleType, core: types.ModuleType, undo: list[Callable[[], Any]]) -> None:
    errors = importlib.import_module("bsb.exceptions")
    services = importlib.import_module("bsb.services")
    pairs = _pairs(theirs, errors)
    pairs += [(cached, ours.pool_cache(method)) for cached, method in _cached_methods(theirs.pool_cache)]
    _check_subclasses(pairs)
    before = _names_of_ours(pairs)
    undo.append(lambda: _give_back(pairs, before))
    # Services that a user has replaced.
    for module in (theirs, services, errors):
        for old, new in pairs:
            name = getattr(old, "__name__", "")
            if isinstance(vars(module).get(name), type(old)) and vars(module)[name] is not new:
                _set(module, name, new, undo)
    _replace(pairs, undo)
    for old, new in pairs:
        if isinstance(old, type) and issubclass(old, BaseException):
            _put_above(new, old, undo)
    _set(core.Scaffold, "create_job_pool", _agreeing(core.Scaffold.create_job_pool), undo)
    _set(host, "current", _BSB(), undo)
    # What `bsb` has handed out, it keeps: `bsb.JobPool`.
    _forget()
    undo.append(_forget)


def _take_back(undo: list[Callable[[], Any]]) -> None:
    while undo:
        undo.pop()()


def _set(holder: Any, name: str, value: Any, undo: list[Callable[[], Any]]) -> None:
    old = vars(holder)[name]
    setattr(holder, name, value)
    undo.append(lambda: setattr(holder, name, old))


def _forget() -> None:
    getattr(vars(sys.modules["bsb"]).get("__getattr__"), "cache_clear", lambda: None)()


# -- which BSB, and whether it is the time -----------------------------------------------------------------------------


def _tested() -> str:
    return f"bsb-core {', '.join(TESTED)}"


def _check_version() -> None:
    """Check that BSB is installed, and that this project can replace its pool.

    A version that was not tested is accepted with a warning if its pool has the same names, methods and parameters.
    """
    found = version()
    if util.find_spec("bsb") is None or found is None:
        raise DependencyError(
            f"BSB is not installed here, and can't use this pool: `pip install bsb-core` (tested: {_tested()})."
        )
    problem = unknown()
    if problem is not None:
        raise DependencyError(
            f"The job pool of bsb-core {found} is not one that bsbpool knows ({problem}), so that BSB goes on with its "
            f"own. Tested: {_tested()}."
        )
    if found not in TESTED:
        warnings.warn(
            f"bsbpool is not tested with bsb-core {found}, but with {', '.join(TESTED)}. Its pool looks the same, and "
            "is replaced.",
            stacklevel=3,
        )


def unknown() -> str | None:
    """Return what this project does not know of BSB's pool; None if there is nothing. It imports BSB's services."""
    try:
        theirs = importlib.import_module("bsb.services.pool")
    except ImportError as error:
        return f"bsb.services.pool can't be imported: {error}"
    if installed():
        return None
    for name, old in _own_names(theirs):
        new = getattr(ours, name, None)
        if new is None:
            return f"it has {name}"
        if hasattr(old, "__members__"):
            if {each.name: each.value for each in old} != {each.name: each.value for each in new}:
                return f"{name} has other members"
        elif isinstance(old, type) and not issubclass(old, BaseException):
            public = [each for each in vars(old) if not each.startswith("_")]
            for attribute in public:
                if not hasattr(new, attribute):
                    return f"{name} has {attribute}"
            # Methods of jobs are called with positional arguments only.
            for method in ("__init__", *(public if name == "JobPool" else ())):
                if inspect.isfunction(vars(old).get(method)):
                    problem = _other_parameters(f"{name}.{method}", vars(old)[method], getattr(new, method))
                    if problem is not None:
                        return problem
    missing = [name for name in ("JobPool", "Job", "JobStatus", "pool_cache") if not hasattr(theirs, name)]
    return f"it has no {missing[0]}" if missing else None


def _other_parameters(name: str, old: Any, new: Any) -> str | None:
    """Return the parameters, by position or name, that `old` accepts and `new` does not."""
    theirs, mine = (list(inspect.signature(each).parameters.values()) for each in (old, new))
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in mine) and len(mine) <= 3:
        return None
    places = [each.name for each in mine]
    for place, parameter in enumerate(theirs):
        if parameter.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
            continue
        if place >= len(places) or places[place] != parameter.name:
            return f"{name} takes {parameter.name}"
    return None


def _check_no_pool(what: str, theirs: Any) -> None:
    """Check that no pool is open: half of its objects would be replaced."""
    own = getattr(theirs.JobPool, "_pools", {}) if theirs.JobPool is not ours.JobPool else {}
    if own or open_pools():
        raise JobPoolError(
            f"{what}() was called while {'a pool of BSB' if own else 'a pool'} is open: call it before the pool opens, "
            "or after its `with` block. Nothing was changed."
        )


# -- what stands for what ----------------------------------------------------------------------------------------------

_Pairs = list[tuple[Any, Any]]


def _own_names(theirs: types.ModuleType) -> Iterator[tuple[str, Any]]:
    """Return the public names that BSB's pool defines itself."""
    for name, value in vars(theirs).items():
        if not name.startswith("_") and getattr(value, "__module__", None) == theirs.__name__:
            yield name, value


def _pairs(theirs: types.ModuleType, errors: types.ModuleType) -> _Pairs:
    """Return each object of BSB's pool with our object that replaces it."""
    pairs = [(old, getattr(ours, name)) for name, old in _own_names(theirs)]
    pairs += [(getattr(errors, name), getattr(exceptions, name)) for name in _ERRORS]
    pairs += [(member, new[member.name]) for old, new in pairs if hasattr(old, "__members__") for member in old]
    return pairs


def _cached_methods(decorator: Any) -> Iterator[tuple[Any, Any]]:
    """Return the methods that BSB's own `pool_cache` has decorated so far, with the original methods."""
    codes = [code for code in decorator.__code__.co_consts if isinstance(code, types.CodeType)]
    for cached in gc.get_objects():
        if type(cached) is functools._lru_cache_wrapper:
            within = cached.__wrapped__
            if getattr(within, "__code__", None) in codes:
                yield cached, inspect.getclosurevars(within).nonlocals["caching_function"]


def _check_subclasses(pairs: _Pairs) -> None:
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


# -- replacing ---------------------------------------------------------------------------------------------------------


def _replace(pairs: _Pairs, undo: list[Callable[[], Any]]) -> None:
    """Replace the first of each pair by the second wherever it is held: modules, classes, collections, defaults,
    closures.

    It is not replaced in local variables of running functions, nor in BSB's pool itself, which must work again later.
    """
    own = _parts_of([old for old, _ in pairs])
    while pairs:
        new_of = {id(old): new for old, new in pairs}
        held = [old for old, _ in pairs]
        changed: _Pairs = []
        holders = gc.get_referrers(*held)
        seen = {id(each) for each in (held, pairs, changed, new_of, *pairs)} | own
        # Modules are searched again: objects that were frozen (`gc.freeze`) are not found.
        for holder in [*holders, *(vars(module) for module in list(sys.modules.values()))]:
            if id(holder) in seen or isinstance(holder, types.FrameType):
                continue
            seen.add(id(holder))
            _replace_in(holder, new_of, changed, undo)
        # A tuple can't be changed: it is replaced by another one, wherever it is held.
        pairs = changed


def _parts_of(objects: Sequence[Any]) -> set[int]:
    """Return the ids of the dictionaries and closures of BSB's own classes and functions."""
    parts: set[int] = set()
    for each in objects:
        if isinstance(each, type):
            parts.update(id(part) for part in gc.get_referents(each))
            for value in vars(each).values():
                parts.add(id(value))
                function = getattr(value, "__func__", getattr(value, "fget", value))
                parts.update(id(cell) for cell in getattr(function, "__closure__", None) or ())
    return parts


def _replace_in(holder: Any, new_of: dict[int, Any], changed: _Pairs, undo: list[Callable[[], Any]]) -> None:
    if isinstance(holder, dict):
        _replace_in_dict(holder, new_of, undo)
    elif isinstance(holder, list):
        for place, value in enumerate(holder):
            if id(value) in new_of:
                holder[place] = new_of[id(value)]
                undo.append(functools.partial(_set_item, holder, place, new_of[id(value)], value))
    elif isinstance(holder, set):
        for value in [each for each in holder if id(each) in new_of]:
            new = new_of[id(value)]
            _exchange(holder, value, new)
            undo.append(functools.partial(_exchange, holder, new, value))
    elif type(holder) in (tuple, frozenset):
        if any(id(value) in new_of for value in holder):
            changed.append((holder, type(holder)(new_of.get(id(value), value) for value in holder)))
    elif isinstance(holder, types.CellType):
        old = holder.cell_contents
        if id(old) in new_of:
            holder.cell_contents = new_of[id(old)]
            undo.append(lambda: setattr(holder, "cell_contents", old))
    elif isinstance(holder, types.FunctionType):
        defaults = holder.__defaults__
        if id(defaults) in new_of:
            holder.__defaults__ = new_of[id(defaults)]
            undo.append(lambda: setattr(holder, "__defaults__", defaults))
    elif not isinstance(holder, type | types.ModuleType):
        attributes = getattr(holder, "__dict__", None)  # Python keeps those of some instances without a dictionary
        if isinstance(attributes, dict):
            _replace_in_dict(attributes, new_of, undo)


def _replace_in_dict(holder: dict[Any, Any], new_of: dict[int, Any], undo: list[Callable[[], Any]]) -> None:
    cls = _class_of(holder)
    for key, value in list(holder.items()):
        if id(value) not in new_of:
            continue
        new = new_of[id(value)]
        if cls is None:
            holder[key] = new
            undo.append(functools.partial(_set_item, holder, key, new, value))
        else:  # this also clears Python's cache of methods
            type.__setattr__(cls, key, new)
            undo.append(functools.partial(type.__setattr__, cls, key, value))
    if any(id(key) in new_of for key in holder):
        kept = dict(holder)
        _fill(holder, {new_of.get(id(key), key): value for key, value in kept.items()})
        undo.append(lambda: _fill(holder, kept))


def _class_of(attributes: dict[Any, Any]) -> type | None:
    """Return the class that has this dictionary, if there is one."""
    if "__module__" not in attributes or "__doc__" not in attributes:
        return None
    for each in gc.get_referrers(attributes):
        if isinstance(each, type) and any(part is attributes for part in gc.get_referents(each)):
            return each
    return None


def _set_item(holder: Any, key: Any, present: Any, value: Any) -> None:
    """Set an item, if it has not been changed since."""
    try:
        if holder[key] is present:
            holder[key] = value
    except LookupError:
        pass


def _exchange(holder: set[Any], old: Any, new: Any) -> None:
    if old in holder:
        holder.discard(old)
        holder.add(new)


def _fill(holder: dict[Any, Any], items: dict[Any, Any]) -> None:
    holder.clear()
    holder.update(items)


def _put_above(new: type, old: type, undo: list[Callable[[], Any]]) -> None:
    """Make our error derive from BSB's."""
    bases = new.__bases__
    kept = tuple(base for base in bases if not issubclass(old, base))
    new.__bases__ = (*kept, old)
    undo.append(lambda: setattr(new, "__bases__", bases))


# -- taking back what was imported meanwhile ---------------------------------------------------------------------------


def _modules() -> Iterator[types.ModuleType]:
    """Return all modules except those of this project."""
    for module in list(sys.modules.values()):
        if isinstance(module, types.ModuleType) and _top(module) not in ("bsbpool", "bsbpool_sim"):
            yield module


def _top(module: types.ModuleType) -> str:
    return module.__name__.partition(".")[0]


def _names_of_ours(pairs: _Pairs) -> set[tuple[str, str]]:
    """Return where modules hold our objects: these were imported from this project, and are kept."""
    mine = {id(new) for _, new in pairs}
    return {
        (module.__name__, name) for module in _modules() for name, value in vars(module).items() if id(value) in mine
    }


def _give_back(pairs: _Pairs, before: set[tuple[str, str]]) -> None:
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


# -- what BSB's pool does that others have no need of ------------------------------------------------------------------


class _BSB(host.Host):
    """The hooks of BSB in the pool."""

    def run_job(self, function: Callable[[], Any]) -> Any:
        try:
            from bsb_otel.tracer import local_tracing
        except ImportError:  # BSB 7 comes without
            return function()
        # Otherwise a span that a job opens without a parent is broadcast to all ranks, which wait for other messages.
        with local_tracing():
            return function()

    def chunks(self, chunks: Any) -> Any:
        from bsb.storage._chunks import chunklist

        return chunklist(chunks)

    def owner_again(self, owner: Any) -> Callable[[Sequence[Path]], Any] | None:
        storage = getattr(owner, "storage", None)
        root = None if storage is None else getattr(storage, "root", None)
        return functools.partial(network_again, os.path.abspath(root)) if isinstance(root, str | os.PathLike) else None


def network_again(root: str, folders: Sequence[Path]) -> Any:
    """Load a copy of a network from its storage, to run a job that may write to it.

    :param root: the file or folder of its storage.
    :param folders: other folders that may have it, under the same name.
    :returns: its `Scaffold`.
    :raises FileNotFoundError: it is in none of these folders.
    """
    from bsb import from_storage

    name = os.path.basename(root)
    places = [root, *(os.path.join(folder, name) for folder in folders)]
    found = next((place for place in places if os.path.exists(place)), None)
    if found is None:
        raise FileNotFoundError(
            f"the job's network, {name}, is not in {os.path.dirname(root)}; put it beside the trace, or into this "
            "folder"
        )
    folder = world_of(None).folder()
    copy = os.path.join(folder, name)
    if os.path.isdir(found):
        shutil.copytree(found, copy)
    else:
        shutil.copyfile(found, copy)
    network = _in_one_of(folders, functools.partial(from_storage, copy))
    weakref.finalize(network, shutil.rmtree, folder, ignore_errors=True)
    return network


def _in_one_of(folders: Sequence[Path], make: Callable[[], Any]) -> Any:
    """Make a network in the first of these folders where that works: BSB looks for its components in the current one.

    :raises Exception: it works in none of them; why not in the first.
    """
    first: Exception | None = None
    for folder in dict.fromkeys(each for each in folders if each.is_dir()):
        try:
            with contextlib.chdir(folder):
                return make()
        except Exception as error:
            first = first or error
    raise first or FileNotFoundError("none of the folders where the program may be is there")


# -- ranks that do not agree -------------------------------------------------------------------------------------------
#
# BSB opens a pool with a broadcast of its id by main, and then waits for all ranks. So ranks with different pools would
# wait for each other for ever. Ranks that use this pool have a broadcast of their own before, which other ranks take
# for that of the id.


class _Question:
    """Main broadcasts it to ask whether each rank uses this pool. A rank that does not answers by unpickling it."""

    def __reduce__(self) -> Any:
        return _asked, ()


def _asked() -> _Question:
    """The question, as it arrived on this rank."""
    if not installed():
        raise _disagreement(_communicator_asked().allgather(False))
    return _Question()


def _communicator_asked() -> Any:
    """Return the communicator on which BSB waits for the id of a pool."""
    bcast = importlib.import_module("bsb.services.mpi").MPIService.bcast.__code__
    frame = sys._getframe()
    while frame.f_code is not bcast:
        assert frame.f_back is not None
        frame = frame.f_back
    return frame.f_locals["self"]


def _disagreement(answers: Sequence[bool]) -> Exception:
    """Make the error that every rank raises.

    :param answers: by rank, whether it uses this pool.
    """
    has, lacks = ([rank for rank, answer in enumerate(answers) if answer is which] for which in (True, False))
    return _error(f"{_ranks(has)} of {len(answers)} called bsbpool.bsb.install(), {_ranks(lacks)} did not")


def _ranks(ranks: Sequence[int]) -> str:
    named = ", ".join(map(str, ranks[:5])) + (", …" if len(ranks) > 5 else "")
    return f"rank{'s' * (len(ranks) > 1)} {named}"


def _error(what: str) -> Exception:
    error: Exception = importlib.import_module("bsb.exceptions").JobPoolError(
        f"The ranks do not use the same job pool: {what}. Call it on every rank, before the pool is made. From here on "
        "all ranks use BSB's own pool."
    )
    return error


def _agreeing(create: Callable[..., Any]) -> Callable[..., Any]:
    """BSB's `Scaffold.create_job_pool`, after all ranks have agreed that they use this pool."""

    @functools.wraps(create)
    def create_job_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
        comm = self._comm
        inside.refuse("Can't make a pool", world_of(comm.get_communicator()))
        if comm.get_size() > 1:
            told = comm.bcast(_Question() if comm.get_rank() == 0 else None)
            if not isinstance(told, _Question):
                _use_theirs()
                return _refusing(create, told)(self, *args, **kwargs)
            answers = comm.allgather(True)
            if not all(answers):
                _use_theirs()
                raise _disagreement(answers)
        return create(self, *args, **kwargs)

    return create_job_pool


def _use_theirs() -> None:
    global _undo
    undo, _undo = _undo or [], None
    _take_back(undo)


def _refusing(create: Callable[..., Any], id: Any) -> Callable[..., Any]:
    """Replaces `create_job_pool` on a rank that uses this pool while main uses BSB's own.

    Main does not ask, and waits for this rank. So the rank takes part in BSB's own pool, and its first job fails. Then
    every rank learns of the error through BSB's pool, and no rank waits.

    :param id: the id of the first pool, as main has broadcast it.
    """
    theirs: Any = importlib.import_module("bsb.services.pool")
    scaffold = importlib.import_module("bsb.core").Scaffold
    ids = [id]
    refused: list[Exception] = []

    @functools.wraps(create)
    def create_job_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
        comm = self._comm
        if ids:
            self._comm = _Told(comm, ids.pop())
        try:
            pool = create(self, *args, **kwargs)
        finally:
            self._comm = comm
        pool._comm = comm
        execute = pool.execute
        problem = f"rank {comm.get_rank()} called bsbpool.bsb.install(), and main (rank 0) did not"

        def refuse(pool_id: Any, job_args: Any) -> Any:
            if not refused:
                refused.append(_error(problem))
            raise refused[0]

        def executes(*args: Any, **kwargs: Any) -> Any:
            dispatcher = theirs.dispatcher
            theirs.dispatcher = refuse
            try:
                return execute(*args, **kwargs)
            except Exception as error:
                if refused:
                    raise refused[0] from error
                raise
            finally:
                theirs.dispatcher = dispatcher
                if refused:
                    scaffold.create_job_pool = create

        pool.execute = executes
        return pool

    scaffold.create_job_pool = create_job_pool
    return create_job_pool


class _Told:
    """A communicator whose next broadcast has been received already."""

    def __init__(self, comm: Any, value: Any):
        self._of, self._value = comm, value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    def bcast(self, obj: Any, root: int = 0) -> Any:
        return self._value


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


if __name__ == "__main__":
    # As a module with its own name, so that other ranks can unpickle its objects.
    importlib.import_module("bsbpool.bsb").main()
