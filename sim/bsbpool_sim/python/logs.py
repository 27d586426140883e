"""The configuration of logging of each rank: levels, handlers and filters of loggers, disabled levels, names of levels.

All ranks have the same loggers, so that loggers of shared modules use the handlers of the running rank; the settings of
a logger are each rank's own. `process` explains how.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import Any

from .process import Process, current_process, property_of_rank, reclassed

_OF_LOGGER = ("level", "handlers", "filters", "disabled", "propagate", "_cache")
_OF_HANDLER = ("level", "filters")
_OF_MANAGER = ("_disable", "emittedNoHandlerWarning")


def _settings(names: tuple[str, ...]) -> Callable[[Process, Any], dict[str, Any]]:
    def kept(process: Process, of: Any) -> dict[str, Any]:
        found = process.logging.get(id(of))
        if found is None:
            found = process.logging[id(of)] = {name: _copied(of.__dict__[name]) for name in names}
            if "_cache" in found:
                found["_cache"] = {}
            process.logging_outside[id(of)] = of, {name: _copied(of.__dict__[name]) for name in names}
        return found

    return kept


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value


def follow_outside(process: Process) -> None:
    """Let a rank have what was changed outside of the ranks since the last call, or since it first looked."""
    for key, (of, before) in process.logging_outside.items():
        own = process.logging[key]
        for name, was in before.items():
            value = of.__dict__[name]
            if name == "_cache":
                own[name] = {}
            elif value == was:
                continue
            elif isinstance(value, list):
                own[name] = [each for each in own[name] if each in value or each not in was]
                own[name] += [each for each in value if each not in was and each not in own[name]]
            else:
                own[name] = value
            before[name] = _copied(value)


def _get_other(logger: Any, name: str) -> Any:
    """What a rank has put into a logger, which has no such attribute for all."""
    process = current_process()
    if process is not None and not name.startswith("__"):
        found = _settings(_OF_LOGGER)(process, logger)
        if name in found:
            return found[name]
    raise AttributeError(f"{type(logger).__name__!r} object has no attribute {name!r}", name=name, obj=logger)


def _put_other(logger: Any, name: str, value: Any) -> None:
    process = current_process()
    if process is None or name in logger.__dict__ or hasattr(type(logger), name):
        object.__setattr__(logger, name, value)
    else:
        _settings(_OF_LOGGER)(process, logger)[name] = value


_real: dict[str, Any] = {}


def _record(*args: Any, **kwargs: Any) -> Any:
    return _get_factory()(*args, **kwargs)


def _get_factory() -> Any:
    process = current_process()
    return _real["_logRecordFactory"] if process is None or process.record_factory is None else process.record_factory


def _set_factory(factory: Any) -> None:
    process = current_process()
    if process is None:
        _real["_logRecordFactory"] = factory
    else:
        process.record_factory = factory


def _add_handler(handler: logging.Handler) -> None:
    process = current_process()
    if process is not None:
        process.handlers.add(handler)
    _real["_addHandlerRef"](handler)


def _shutdown(handlerList: Any = None) -> None:
    """Closes a rank's own handlers only: `logging.config` calls this for all that there are."""
    every = logging.__dict__["_handlerList"] if handlerList is None else handlerList
    process = current_process()
    _real["shutdown"](every if process is None else [each for each in every if each() in process.handlers])


#: What stands in the namespace of `logging`, from which its own functions take them.
_FUNCTIONS = {
    "_logRecordFactory": _record,
    "getLogRecordFactory": _get_factory,
    "setLogRecordFactory": _set_factory,
    "_addHandlerRef": _add_handler,
    "shutdown": _shutdown,
}


#: The names of levels, and the levels of names.
_TABLES = ("_levelToName", "_nameToLevel")


class _TableOfRank(MutableMapping[Any, Any]):
    """A table of `logging`, of which each rank has its own.

    :param name: its name there.
    :param table: what is in it for who is no rank, and what is in that of each rank at first.
    """

    def __init__(self, name: str, table: dict[Any, Any]):
        self._name, self._table = name, table

    def _now(self) -> dict[Any, Any]:
        process = current_process()
        if process is None:
            return self._table
        if self._name not in process.level_names:
            process.level_names[self._name] = {**self._table}
        return process.level_names[self._name]

    def copy(self) -> dict[Any, Any]:
        """What `logging.getLevelNamesMapping` returns."""
        return {**self._now()}

    def __getitem__(self, key: Any) -> Any:
        return self._now()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._now()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._now()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


def _reclassed(instance: Any, properties: dict[str, Any]) -> Callable[[], None]:
    """As `reclassed`, with one class for all objects of each class of `logging`."""
    before = type(instance)
    made = _classes.get(before)
    if made is None:
        undo = reclassed(instance, properties)
        if before.__module__ == logging.__name__:
            _classes[before] = type(instance)
        return undo
    instance.__class__ = made
    return lambda: setattr(instance, "__class__", before)


_classes: dict[type, type] = {}


@contextmanager
def logging_of_ranks(handlers: Iterable[logging.Handler] = ()) -> Iterator[None]:
    """While active, each rank with a `Process` has its own configuration of logging.

    :param handlers: of whose levels and filters each rank has its own, too.
    """
    manager: Any = logging.Logger.manager
    of_logger: dict[str, Any] = {name: property_of_rank(name, _settings(_OF_LOGGER)) for name in _OF_LOGGER}
    of_logger.update(__getattr__=_get_other, __setattr__=_put_other)
    get_logger = manager.getLogger
    changed: set[int] = set()

    def change(logger: Any) -> None:
        if isinstance(logger, logging.Logger) and id(logger) not in changed:
            changed.add(id(logger))
            undo.callback(_reclassed(logger, of_logger))

    def getLogger(name: str) -> logging.Logger:
        logger: logging.Logger = get_logger(name)
        change(logger)
        return logger

    with ExitStack() as undo:
        for name, function in _FUNCTIONS.items():
            _real[name] = logging.__dict__[name]
            setattr(logging, name, function)
            undo.callback(setattr, logging, name, _real[name])
        for name in _TABLES:
            table: dict[Any, Any] = logging.__dict__[name]
            setattr(logging, name, _TableOfRank(name, table))
            undo.callback(setattr, logging, name, table)
        for handler in handlers:
            keep = {name: property_of_rank(name, _settings(_OF_HANDLER)) for name in _OF_HANDLER}
            undo.callback(_reclassed(handler, keep))
        change(logging.root)
        for logger in manager.loggerDict.values():
            change(logger)
        manager.getLogger = getLogger
        undo.callback(delattr, manager, "getLogger")
        undo.callback(
            reclassed(manager, {name: property_of_rank(name, _settings(_OF_MANAGER)) for name in _OF_MANAGER})
        )
        yield
