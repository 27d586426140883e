"""The replacement of `threading.local` while simulations run: each thread of each rank has its own attributes.

An object or a subclass that was made earlier remains real, and distinguishes real threads only.
"""

from __future__ import annotations

import weakref
from _thread import _local
from typing import Any

from greenlet import getcurrent

from ..kernel import Task

_NOTHING = object()


class Local:
    """`threading.local`, for threads of simulated ranks and for real ones."""

    __slots__ = ("__weakref__", "_arguments", "_of_real", "_of_tasks")

    def __new__(cls, /, *arguments: Any, **keywords: Any) -> Any:
        """An object without attributes, for which Python calls `__init__` in the thread that makes it."""
        if (arguments or keywords) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        made = object.__new__(cls)
        object.__setattr__(made, "_arguments", (arguments, keywords))
        object.__setattr__(made, "_of_real", _local())
        object.__setattr__(made, "_of_tasks", weakref.WeakKeyDictionary())
        _has(made)["made"] = {}
        return made

    def __getattribute__(self, name: str) -> Any:
        """As of every object, with the attributes of this thread."""
        attributes = _attributes(self)
        if name == "__dict__":
            return attributes
        kind = type(self)
        of_class = _of_class(kind, name)
        binds = getattr(type(of_class), "__get__", None)
        if binds is not None and hasattr(type(of_class), "__set__"):
            return binds(of_class, self, kind)
        if name in attributes:
            return attributes[name]
        if of_class is _NOTHING:
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}", name=name, obj=self)
        return of_class if binds is None else binds(of_class, self, kind)

    def __setattr__(self, name: str, value: Any) -> None:
        """The same."""
        if name == "__dict__":
            raise AttributeError(f"{type(self).__name__!r} object attribute '__dict__' is read-only")
        of_class = _of_class(type(self), name)
        put = getattr(type(of_class), "__set__", None)
        if put is not None:
            put(of_class, self, value)
        else:
            _attributes(self)[name] = value

    def __delattr__(self, name: str) -> None:
        """The same."""
        of_class = _of_class(type(self), name)
        delete = getattr(type(of_class), "__delete__", None)
        if delete is not None:
            delete(of_class, self)
        elif name in (attributes := _attributes(self)):
            del attributes[name]
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)


def _of_class(kind: type, name: str) -> Any:
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), _NOTHING)


def _has(local: Local) -> dict[str, Any]:
    """What this thread has of an object: its attributes, as "made", once there are any."""
    task = getcurrent()
    has: dict[str, Any]
    if isinstance(task, Task):
        has = object.__getattribute__(local, "_of_tasks").setdefault(task, {})
    else:
        has = object.__getattribute__(local, "_of_real").__dict__
    return has


def _attributes(local: Local) -> dict[str, Any]:
    """The attributes that this thread has; where it has none yet, they are made as for the one that made the object."""
    has = _has(local)
    if "made" not in has:
        has["made"] = {}
        arguments, keywords = object.__getattribute__(local, "_arguments")
        type(local).__init__(local, *arguments, **keywords)
    attributes: dict[str, Any] = has["made"]
    return attributes
