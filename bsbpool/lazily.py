"""Parts of an object that are made when they are first asked for. What they are is for the object's class to know."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class made_when_used(Generic[T]):
    """A method whose value becomes the attribute of its name, once somebody asks for it.

    `functools.cached_property` does the same under a lock of its own, which takes longer than most of what is made
    here. Two threads that ask at once get one object.
    """

    def __init__(self, make: Callable[[Any], T]):
        self._make = make
        self._name = make.__name__
        # mypy takes for a wrapper only what can be called; this is for the name and the documentation.
        functools.update_wrapper(self, make)  # type: ignore[arg-type]

    @overload
    def __get__(self, owner: None, kind: type) -> made_when_used[T]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: Any, kind: type) -> Any:
        if owner is None:
            return self
        made: T = owner.__dict__.setdefault(self._name, self._make(owner))
        return made
