"""The settings of `warnings` of each rank: filters, the function that shows a warning, and the warnings that were shown
once. `process` explains how this works.

Python's C code reads attributes of the module; objects that the module's own functions read from its namespace are
replaced.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from .process import Process, current_process, property_of_rank, reclassed

_NAMES = ("filters", "defaultaction", "onceregistry", "showwarning", "formatwarning", "_showwarnmsg_impl")


def _settings(process: Process, module: Any) -> dict[str, Any]:
    if not process.warnings:
        process.warnings = {name: module.__dict__[name] for name in _NAMES if name in module.__dict__}
        process.warnings.update(filters=[*module.__dict__["filters"]], onceregistry={})
    return process.warnings


@contextmanager
def warnings_of_ranks() -> Iterator[None]:
    """While active, each rank with a `Process` has its own settings of warnings."""
    module: Any = warnings
    replaced = {"_add_filter": _add_filter, "resetwarnings": _reset, "_showwarnmsg": _show, "_formatwarnmsg": _format}
    with ExitStack() as undo:
        for name, function in replaced.items():
            _real[name] = module.__dict__[name]
            setattr(module, name, function)
            undo.callback(setattr, module, name, _real[name])
        undo.callback(
            reclassed(module, {name: property_of_rank(name, _settings) for name in _NAMES if hasattr(module, name)})
        )
        yield


_real: dict[str, Any] = {}


def _add_filter(*item: Any, append: bool) -> None:
    if current_process() is None:
        _real["_add_filter"](*item, append=append)
        return
    filters: Any = warnings.filters
    if not append:
        filters[:] = [item, *(each for each in filters if each != item)]
    elif item not in filters:
        filters.append(item)
    _mutated()


def _reset() -> None:
    if current_process() is None:
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
    process = current_process()
    if process is None:
        _real["_showwarnmsg"](message)
    elif module.showwarning is not module._showwarning_orig:
        of = message
        module.showwarning(of.message, of.category, of.filename, of.lineno, of.file, of.line)
    else:
        module._showwarnmsg_impl(message)


def _format(message: Any) -> Any:
    module: Any = warnings
    if current_process() is None or module.formatwarning is module._formatwarning_orig:
        return _real["_formatwarnmsg"](message)
    of = message
    return module.formatwarning(of.message, of.category, of.filename, of.lineno, of.line)
