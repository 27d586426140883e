"""Integers that MPI gives a meaning to, as the simulated ranks have them.

Constants of one chapter only may stand in its file, made with `Constant`. Programs may have got theirs from
the real mpi4py, at import; those are known by name here, whatever number the installed MPI gave them.
"""

from __future__ import annotations

import sys
from typing import Any, Self


class Constant(int):
    """An integer that MPI gives a meaning to; it knows its own name, so numbers of two MPIs can't mix.

    It is printed as a number, as mpi4py's are.
    """

    name: str

    def __new__(cls, value: int, name: str) -> Constant:
        self = super().__new__(cls, value)
        self.name = name
        return self

    def __reduce__(self) -> Any:
        return Constant, (int(self), self.name)


class _Place(Constant):
    """What stands where a buffer may stand; it has a class of its own, as in mpi4py."""

    _value: int
    _name: str

    def __new__(cls) -> Self:
        self = int.__new__(cls, cls._value)
        self.name = cls._name
        return self

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return type(self), ()


class InPlaceType(_Place):
    """Type of `IN_PLACE`."""

    _value, _name = -1, "IN_PLACE"


class BottomType(_Place):
    """Type of `BOTTOM`."""

    _value, _name = 0, "BOTTOM"


class BufferAutomaticType(_Place):
    """Type of `BUFFER_AUTOMATIC`."""

    _value, _name = -2, "BUFFER_AUTOMATIC"


ANY_SOURCE = Constant(-2, "ANY_SOURCE")
ANY_TAG = Constant(-1, "ANY_TAG")
PROC_NULL = Constant(-1, "PROC_NULL")
ROOT = Constant(-3, "ROOT")
UNDEFINED = Constant(-32766, "UNDEFINED")
IN_PLACE = InPlaceType()
BOTTOM = BottomType()
BUFFER_AUTOMATIC = BufferAutomaticType()
#: The largest tag, that of MPICH; MPI itself promises 32767.
LARGEST_TAG = (1 << 29) - 1
#: The key of the attribute of a communicator that is the largest tag.
TAG_UB = Constant(0x64400001, "TAG_UB")
#: Bytes that a message with `bsend` takes besides its own, in the buffer that was attached.
BSEND_OVERHEAD = 96
COMM_TYPE_SHARED = Constant(1, "COMM_TYPE_SHARED")
LOCK_EXCLUSIVE = Constant(234, "LOCK_EXCLUSIVE")
LOCK_SHARED = Constant(235, "LOCK_SHARED")

#: What stands where a buffer may stand.
_PLACES = ("IN_PLACE", "BOTTOM", "BUFFER_AUTOMATIC")

_real: dict[str, Any] = {}


def real(name: str) -> Any:
    """What `name` is in the real `mpi4py.MPI`, if that is imported; else None."""
    if not _real and "mpi4py.MPI" in sys.modules:
        # Its dictionary, not its attributes: those are ours while a simulation runs. A stand-in's has none.
        names = vars(sys.modules["mpi4py.MPI"])
        if "ANY_SOURCE" in names:
            _real.update(names)
    return _real.get(name)


def means(value: Any, constant: Constant) -> bool:
    """Whether `value` is `constant`: ours, the real mpi4py's, or a number that equals it."""
    if isinstance(value, Constant):
        return value.name == constant.name
    theirs = real(constant.name)
    if constant.name in _PLACES:
        # Nothing equals them: whoever compares arrays with them gets an array.
        return theirs is not None and value is theirs
    return bool(value == (constant if theirs is None else theirs))
