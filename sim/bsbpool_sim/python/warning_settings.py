"""The settings of `warnings` of each rank: filters, the function that shows a warning, and the warnings that were shown
once.

Python's C code reads attributes of the module; objects that the module's own functions read from its namespace are
replaced.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from greenlet import getcurrent

from ..tasks import Rank, Task
from .process import property_in, reclassed

_NAMES = ("filters", "defaultaction", "onceregistry", "showwarning", "formatwarning", "_showwarnmsg_impl")
#: Under which key a rank keeps its settings: none before it has looked at them. A rank without it has none of its own.
_KEY = "warnings"


def own_warnings(rank: Rank) -> None:
    """From now on, a rank has its own settings of warnings, which are at first those of who simulates."""
    rank.kept[_KEY] = {}


def _settings(module: Any) -> dict[str, Any]:
    """What the module's attributes are for who runs."""
    outside: dict[str, Any] = module.__dict__
    settings = _of_rank()
    if settings is None:
        return outside
    if not settings:
        settings.update({name: outside[name] for name in _NAMES if name in outside})
        settings.update(filters=[*outside["filters"]], onceregistry={})
        _mutated()  # so that modules forget which warnings were shown before
    return settings


def _of_rank() -> dict[str, Any] | None:
    """The settings of the rank that runs; None: no rank runs, or one that has none of its own."""
    task = getcurrent()
    return task.rank.kept.get(_KEY) if isinstance(task, Task) else None


@contextmanager
def warnings_of_ranks() -> Iterator[None]:
    """While active, each rank has its own settings of warnings, once `own_warnings` says so."""
    module: Any = warnings
    replaced = {"_add_filter": _add_filter, "resetwarnings": _reset, "_showwarnmsg": _show, "_formatwarnmsg": _format}
    with ExitStack() as undo:
        for name, function in replaced.items():
            _real[name] = module.__dict__[name]
            setattr(module, name, function)
            undo.callback(setattr, module, name, _real[name])
        undo.callback(
            reclassed(module, {name: property_in(name, _settings) for name in _NAMES if hasattr(module, name)})
        )
        yield


_real: dict[str, Any] = {}


def _add_filter(*item: Any, append: bool) -> None:
    if _of_rank() is None:
        _real["_add_filter"](*item, append=append)
        return
    filters: Any = warnings.filters
    if not append:
        filters[:] = [item, *(each for each in filters if each != item)]
    elif item not in filters:
        filters.append(item)
    _mutated()


def _reset() -> None:
    if _of_rank() is None:
        _real["resetwarnings"]()
    else:
        filters: Any = warnings.filters
        filters[:] = []
        _mutated()


def _mutated() -> None:
    module: Any = warnings
    # It had another name until Python 3.14, which tells of the lock that was taken.
    if hasattr(module, "_filters_mutated"):
        module._filters_mutated()
    else:  # pragma: no cover; the tests run on 3.11 and 3.13
        with module._lock:
            module._filters_mutated_lock_held()


def _show(message: Any) -> None:
    module: Any = warnings
    if _of_rank() is None:
        _real["_showwarnmsg"](message)
    elif module.showwarning is not module._showwarning_orig:
        of = message
        module.showwarning(of.message, of.category, of.filename, of.lineno, of.file, of.line)
    else:
        module._showwarnmsg_impl(message)


def _format(message: Any) -> Any:
    module: Any = warnings
    if _of_rank() is None or module.formatwarning is module._formatwarning_orig:
        return _real["_formatwarnmsg"](message)
    of = message
    return module.formatwarning(of.message, of.category, of.filename, of.lineno, of.line)
