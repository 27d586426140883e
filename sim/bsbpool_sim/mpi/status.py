"""Statuses: the properties of a message that was received, or of a request that is complete."""

from __future__ import annotations

from array import array
from typing import Any, Self

from ..errors import MPIError
from .constants import ANY_SOURCE, ANY_TAG, UNDEFINED, Constant, real
from .datatypes import BYTE, datatype
from .integer_arguments import LONG, integer
from .named_integers import NUMBERS


class Status:
    """Where a message came from, its tag, and its size in bytes.

    :param status: one that is copied.
    """

    __slots__ = ("__weakref__", "_memory", "cancelled", "count", "error", "source", "tag")

    source: int
    tag: int
    error: int
    count: int
    cancelled: bool
    _memory: array[int] | None

    def __new__(cls, status: Status | None = None) -> Self:
        """A new status."""
        if status is not None and not isinstance(status, Status):
            raise TypeError(f"a status is made of another one, not of {status!r}")
        self = super().__new__(cls)
        self._memory = None
        self.source, self.tag, self.error, self.count, self.cancelled = (
            (ANY_SOURCE, ANY_TAG, 0, 0, False)
            if status is None
            else (status.source, status.tag, status.error, status.count, status.cancelled)
        )
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Status) and self.py2f() == other.py2f()

    def __reduce__(self) -> Any:
        return type(self), (), self.__getstate__()

    def __getstate__(self) -> dict[str, Any]:
        names = ("source", "tag", "error", "count", "cancelled")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def Get_source(self) -> int:
        """The rank that the message came from."""
        return self.source

    def Set_source(self, source: int) -> None:
        """Set the rank that the message came from."""
        self.source = integer(source, "source")

    def Get_tag(self) -> int:
        """The message's tag."""
        return self.tag

    def Set_tag(self, tag: int) -> None:
        """Set the message's tag."""
        self.tag = integer(tag, "tag")

    def Get_error(self) -> int:
        """The error of the request, of those that ended together."""
        return self.error

    def Set_error(self, error: int) -> None:
        """Set the error of the request."""
        self.error = integer(error, "error")

    def Get_count(self, datatype: Any = BYTE) -> int:
        """Items of `datatype` in the message; UNDEFINED if it holds no whole number of them."""
        size = _map(datatype).size
        if not size:
            return UNDEFINED if self.count else 0
        return UNDEFINED if self.count % size else self.count // size

    def Get_elements(self, datatype: Any) -> int:
        """Primitives in the items of `datatype` in the message; UNDEFINED if the last of them is not whole."""
        found = _map(datatype).elements_of(self.count)
        return UNDEFINED if found is None else found

    def Set_elements(self, datatype: Any, count: int) -> None:
        """Set how many primitives of `datatype` the message holds.

        :raises MPIError: they are less than none.
        """
        map, count = _map(datatype), integer(count, "count", bits=LONG)
        if count < 0:
            raise MPIError(f"Set_elements: count={count} is negative", "ERR_COUNT")
        items, left = divmod(count, map.elements) if map.elements else (0, 0)
        self.count = items * map.size + map.size_of(left)

    def Is_cancelled(self) -> bool:
        """Whether the request was cancelled."""
        return self.cancelled

    def Set_cancelled(self, flag: bool) -> None:
        """Set whether the request was cancelled."""
        self.cancelled = bool(flag)

    # -- MPI's own form ----------------------------------------------------------------------------

    def py2f(self) -> list[int]:
        """The status as Fortran has it."""
        low, high = self.count & 0xFFFFFFFF, (self.count >> 32 << 1) | self.cancelled
        return [low - (low >> 31 << 32), high, int(self.source), int(self.tag), self.error]

    @classmethod
    def f2py(cls, arg: list[int]) -> Self:
        """The status of Fortran's form."""
        self = cls()
        low, high, self.source, self.tag, self.error = arg
        self.count, self.cancelled = (high >> 1 << 32) | (low & 0xFFFFFFFF), bool(high & 1)
        return self

    def tomemory(self) -> memoryview:
        """Memory that has source, tag and error: who writes into it changes them."""
        if self._memory is None:
            self._memory = array("i", self.py2f())
            self.__class__ = type(type(self).__name__, (_InMemory, type(self)), {"__slots__": ()})
        return memoryview(self._memory)


def _field(index: int) -> property:
    def get(self: Any) -> int:
        found: int = self._memory[index]
        return found

    def put(self: Any, value: int) -> None:
        self._memory[index] = int(value)

    return property(get, put)


class _InMemory:
    """A status whose fields are in memory that the program has."""

    __slots__ = ()
    source, tag, error = (_field(NUMBERS[f"F_{name}"]) for name in ("SOURCE", "TAG", "ERROR"))


def _map(given: Any) -> Any:
    if isinstance(given, str):
        raise TypeError(f"a status counts items of an MPI.Datatype, not of {given!r}")
    return datatype(given)._defined().map


def checked(status: Any) -> None:
    """See that a status is one, ours or the real mpi4py's, or None.

    :raises TypeError: it is something else.
    """
    if status is not None and not isinstance(status, Status) and not hasattr(status, "Set_elements"):
        raise TypeError(f"a status must be an MPI.Status, not {status!r}")


def fill(status: Any, source: int, tag: int, size: int, cancelled: bool = False) -> None:
    """Write into `status`, ours or the real mpi4py's or None, what is known of a message."""
    if status is None:
        return
    if isinstance(status, Status):
        status.source, status.tag, status.count, status.cancelled, status.error = source, tag, size, cancelled, 0
        return
    checked(status)
    if isinstance(source, Constant):
        source, tag = real(source.name), real("ANY_TAG")
    status.Set_source(source)
    status.Set_tag(tag)
    status.Set_elements(real("BYTE"), size)
    status.Set_cancelled(cancelled)
