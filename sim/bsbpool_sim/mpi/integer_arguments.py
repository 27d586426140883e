"""Single integers, texts and handles that a program gives, such as tags and names, as mpi4py takes them.

Items of lists are not taken so: mpi4py wants them to be integers, and `items` says whether they are.
"""

from __future__ import annotations

import operator
from typing import Any, TypeVar

_T = TypeVar("_T")

#: Bits of the integers of C that counts, displacements and offsets are; others are ints.
LONG = 64


def integer(value: Any, what: str, kind: str = "an integer", bits: int = 32) -> int:
    """An integer; of a float, which mpi4py hands over to C as well, what is in front of the point.

    :param what: what it is for, in the program's terms.
    :param kind: what it is, in words.
    :param bits: how many bits it has in C.
    :raises TypeError: it is nothing of the kind.
    :raises OverflowError: it has more bits.
    """
    if not isinstance(value, int):
        convert = getattr(type(value), "__int__", None)
        if convert is None:
            raise TypeError(f"{what} must be {kind}, not {value!r}")
        value = int(convert(value))
    return _fitting(value, what, bits)


def items(values: Any, what: str, bits: int = 32) -> list[int]:
    """The integers of a list, or of anything else that has several.

    :raises TypeError: it has none, or something else.
    :raises OverflowError: one of them has more bits.
    """
    return [_fitting(operator.index(value), what, bits) for value in values]


def _fitting(value: int, what: str, bits: int) -> int:
    if not -1 << (bits - 1) <= value < 1 << (bits - 1):
        raise OverflowError(f"{what}={value} is too large for an integer of {bits} bits, which it is in C")
    return value


def text_argument(value: Any, what: str) -> str:
    """A text, which may be bytes.

    :raises TypeError: it is something else.
    :raises ValueError: it has a null character, at which it would end in C.
    """
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError(f"{what} has a null character")
    return value


def instance(value: Any, of: type[_T], what: str) -> _T:
    """An object of a class.

    :raises TypeError: it is something else.
    """
    if not isinstance(value, of):
        raise TypeError(f"{what} must be an MPI.{of.__name__}, not {type(value).__name__}")
    return value
