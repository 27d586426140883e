"""Parts of an object that are created on first use. The class of the object defines them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class made_when_used(Generic[T]):
    """A method whose value becomes the attribute of its name, once somebody asks for it.

    The object has a `lock`, under which its parts are made, so that two threads that ask at once get one; and a
    dictionary `made` of those that were. Ask that whether there is one already.

    `functools.cached_property` has a lock of its own; and it uses the object's `__dict__`, after which Python 3.11 and
    3.12 take three times as long for each attribute of that object.
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
        with owner.lock:
            if self._name not in owner.made:
                owner.made[self._name] = self._make(owner)
                setattr(owner, self._name, owner.made[self._name])
        return owner.made[self._name]
