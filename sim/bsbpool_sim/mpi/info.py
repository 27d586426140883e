"""Info objects: hints, as pairs of texts. Nothing here heeds them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

from ..errors import MPIError
from .handles import Handle, State, predefine
from .integer_arguments import integer, text_argument
from .running_rank import note_made

MAX_INFO_KEY, MAX_INFO_VAL = 255, 1024


class InfoState(State):
    """The hints of an info object, in the order in which they were set."""

    def __init__(self, hints: dict[str, str] | None = None):
        self.hints = {} if hints is None else dict(hints)


_ENV = predefine(InfoState(), "INFO_ENV", 0x5C000001)


class Info(Handle, root=True):
    """An info object: hints, which can be used as a mapping of texts."""

    _null_name = "INFO_NULL"
    _null_number = 0x1C000000
    _state: InfoState | None

    @classmethod
    def _made(cls, hints: dict[str, str] | None = None) -> Self:
        new = cls.__new__(cls)
        new._attach(InfoState(hints))
        return new

    @classmethod
    def _new(cls, hints: dict[str, str] | None = None) -> Self:
        """An info object that the program has to free."""
        new = cls._made(hints)
        note_made(new._state, "info object")
        return new

    def _hints(self, call: str) -> dict[str, str]:
        if self._state is None:
            raise MPIError(f"{call} of INFO_NULL, or an info object that was freed", "ERR_ARG")
        return self._state.hints

    def __reduce__(self) -> Any:
        if self._state is None or self._state.constant:
            return super().__reduce__()
        return functools.partial(type(self)._made, self._state.hints), ()

    @classmethod
    def Create(cls, items: Any = None) -> Self:
        """Make an info object, with the pairs of a mapping or an iterable, or without any."""
        new = cls._new()
        if items is not None:
            try:
                new.update(items)
            except BaseException:
                new.Free()  # nobody else could
                raise
        return new

    @classmethod
    def Create_env(cls, args: Sequence[str] | None = None) -> Self:
        """Make an info object like INFO_ENV; simulated ranks were not started by a command, so it is empty."""
        return cls._new()

    def Free(self) -> None:
        """Give the object up; this handle is null then.

        :raises MPIError: it is null, or INFO_ENV.
        """
        self._hints("Free")
        assert self._state is not None
        if self._state.constant:
            raise MPIError("Free of INFO_ENV, which is MPI's own", "ERR_INFO")
        self._state.freed = True
        self._nullify()

    def Dup(self) -> Self:
        """Return another info object with the same pairs."""
        return self._new(self._hints("Dup"))

    def Get(self, key: str) -> str | None:
        """Return the value of a key, or None."""
        return self._hints("Get").get(_key(key, "Get"))

    def Set(self, key: str, value: str) -> None:
        """Set the value of a key.

        :raises MPIError: the key is empty or too long, or the value is too long.
        """
        hints = self._hints("Set")
        key, value = _key(key, "Set"), text_argument(value, "the value of an info object")
        if len(value) > MAX_INFO_VAL:
            raise MPIError(f"Set: a value has at most {MAX_INFO_VAL} characters, not {len(value)}", "ERR_INFO_VALUE")
        if self._state is not None and self._state.constant:
            raise MPIError("Set of INFO_ENV, which can only be read: set it in a copy, INFO_ENV.Dup()", "ERR_INFO")
        hints[key] = value

    def Delete(self, key: str) -> None:
        """Remove a key.

        :raises MPIError: it is not there.
        """
        hints = self._hints("Delete")
        key = _key(key, "Delete")
        if key not in hints:
            raise MPIError(f"Delete: this info object has no key {key!r}", "ERR_INFO_NOKEY")
        del hints[key]

    def Get_nkeys(self) -> int:
        """Return the number of keys."""
        return len(self._hints("Get_nkeys"))

    def Get_nthkey(self, n: int) -> str:
        """Return the n-th key, from 0 on.

        :raises MPIError: there are fewer.
        """
        keys = [*self._hints("Get_nthkey")]
        n = integer(n, "n")
        if not 0 <= n < len(keys):
            raise MPIError(f"Get_nthkey({n}): this info object has {len(keys)} keys, numbered from 0 on", "ERR_ARG")
        return keys[n]

    # -- as a mapping ------------------------------------------------------------------------------

    @property
    def _read(self) -> dict[str, str]:
        return {} if self._state is None else self._state.hints

    def __len__(self) -> int:
        return len(self._read)

    def __contains__(self, key: str) -> bool:
        return key in self._read

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __getitem__(self, key: str) -> str:
        return self._read[key]

    def __setitem__(self, key: str, value: str) -> None:
        if self._state is None:
            raise KeyError(key)
        self.Set(key, value)

    def __delitem__(self, key: str) -> None:
        del self._read[key]

    def get(self, key: str, default: str | None = None) -> str | None:
        """Return the value of a key, or a default."""
        if self._state is None:
            return default
        return self._read.get(_key(key, "get"), default)

    def keys(self) -> list[str]:
        """Return the keys."""
        return [*self._read]

    def values(self) -> list[str]:
        """Return the values."""
        return [*self._read.values()]

    def items(self) -> list[tuple[str, str]]:
        """Return pairs of keys and values."""
        return [*self._read.items()]

    def update(self, items: Any = (), **kwds: str) -> None:
        """Set the pairs of a mapping or an iterable, and the keywords."""
        if self._state is None:
            raise KeyError("INFO_NULL has no keys")
        pairs: Iterable[tuple[str, str]] = ((k, items[k]) for k in items.keys()) if hasattr(items, "keys") else items  # noqa: SIM118  # an info object is no mapping by type
        for key, value in (*pairs, *kwds.items()):
            self.Set(key, value)

    def pop(self, key: str, *default: str) -> str:
        """Remove a key, and return its value, or a default."""
        if self._state is not None:
            key = _key(key, "pop")
        return self._read.pop(key, *default)

    def popitem(self) -> tuple[str, str]:
        """Remove the last pair, and return it."""
        return self._read.popitem()

    def copy(self) -> Self:
        """Return another info object with the same pairs; of a null one, a null one."""
        return type(self).__new__(type(self)) if self._state is None else self.Dup()

    def clear(self) -> None:
        """Remove all pairs."""
        self._read.clear()


INFO_NULL = Info._named(None)
INFO_ENV = Info._named(_ENV)


def hints_of(info: Any, call: str) -> dict[str, str]:
    """Return a copy of the hints that a program gave; none of INFO_NULL.

    :raises TypeError: it is no info object.
    """
    if not isinstance(info, Info):
        raise TypeError(f"{call}: info must be an MPI.Info, not {type(info).__name__}")
    return {**info._read}


def _key(key: Any, call: str) -> str:
    """A key that an info object can have."""
    found = text_argument(key, "the key of an info object")
    if not found or len(found) > MAX_INFO_KEY:
        raise MPIError(f"{call}: a key has 1 to {MAX_INFO_KEY} characters, and not {len(found)}", "ERR_INFO_KEY")
    return found
