"""The configuration of logging, for each rank: levels, handlers and filters of loggers, and what is disabled.

All ranks have the same loggers, so that those of shared modules report to the handlers of the rank that runs; what a
logger is set to is each rank's own. See `process` for how.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from .process import Process, of_rank, reclassed

_OF_LOGGER = ("level", "handlers", "filters", "disabled", "propagate", "_cache")
_OF_MANAGER = ("_disable", "emittedNoHandlerWarning")


def _settings(names: tuple[str, ...]) -> Callable[[Process, Any], dict[str, Any]]:
    def kept(process: Process, of: Any) -> dict[str, Any]:
        found = process.logging.get(id(of))
        if found is None:
            found = process.logging[id(of)] = {name: _copied(of.__dict__[name]) for name in names}
            if "_cache" in found:
                found["_cache"] = {}
        return found

    return kept


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value


@contextmanager
def logging_of_ranks() -> Iterator[None]:
    """While active, ranks that have a `Process` configure logging each for itself."""
    manager: Any = logging.Logger.manager
    of_logger = {name: of_rank(name, _settings(_OF_LOGGER)) for name in _OF_LOGGER}
    get_logger = manager.getLogger
    changed: set[int] = set()

    def change(logger: Any) -> None:
        if isinstance(logger, logging.Logger) and id(logger) not in changed:
            changed.add(id(logger))
            undo.callback(reclassed(logger, of_logger))

    def getLogger(name: str) -> logging.Logger:
        logger: logging.Logger = get_logger(name)
        change(logger)
        return logger

    with ExitStack() as undo:
        change(logging.root)
        for logger in manager.loggerDict.values():
            change(logger)
        manager.getLogger = getLogger
        undo.callback(delattr, manager, "getLogger")
        undo.callback(reclassed(manager, {name: of_rank(name, _settings(_OF_MANAGER)) for name in _OF_MANAGER}))
        yield
