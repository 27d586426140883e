"""What memory holds that MPI has not written yet: values that no program expects there.

By MPI's rules nobody reads them. So a program that does something else where they are there has read them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .violations import Place

#: A small number, in case that it is read as a count; and a large one, that is lost in no sum.
_INTEGER, _FLOAT = 113, 1.25e30

#: Formats of floating-point numbers, by the names of the predefined datatypes that have them.
_FLOATS = {
    "FLOAT": "f", "DOUBLE": "d", "REAL": "f", "REAL4": "f", "REAL8": "d", "DOUBLE_PRECISION": "d",
    "C_FLOAT_COMPLEX": "ff", "C_COMPLEX": "ff", "C_DOUBLE_COMPLEX": "dd", "CXX_FLOAT_COMPLEX": "ff",
    "CXX_DOUBLE_COMPLEX": "dd", "COMPLEX": "ff", "DOUBLE_COMPLEX": "dd", "COMPLEX8": "ff", "COMPLEX16": "dd",
}  # fmt: skip


class Undefined:
    """The values of memory that MPI has not written yet.

    :param where: whether what is given to MPI there holds such values.
    """

    def __init__(self, where: Callable[[Place], bool]):
        self._where = where
        #: by line and rank, where memory is given to MPI that it writes.
        self.lines: dict[tuple[str, int], dict[int, Place]] = {}

    def values(self, map: Any, size: int, place: Place) -> bytes:
        """So many bytes of such values.

        :param map: the layout of an item.
        :param place: where the memory is given to MPI.
        """
        if not size or not map.size:
            return b""
        self.lines.setdefault((place.file, place.line), {}).setdefault(place.rank, place)
        if not self._where(place):
            return b""
        item = b"".join(_value(name) * count for name, count in _sized(map))
        return (item * -(-size // len(item)))[:size] if item else b""


def _sized(map: Any) -> list[tuple[tuple[str, int], int]]:
    """The names and sizes of the primitives of an item, each with how many follow each other."""
    if map.primitive is not None:
        return [((map.primitive, map.size), 1)]
    found: list[tuple[tuple[str, int], int]] = []
    for part in map.parts:
        if part.map.primitive is not None:
            found.append(((part.map.primitive, part.map.size), part.count))
        else:
            found += _sized(part.map) * part.count
    return found


def _value(primitive: tuple[str, int]) -> bytes:
    name, size = primitive
    if name in _FLOATS:
        letters = _FLOATS[name]
        value = struct.pack(letters, *[_FLOAT] * len(letters))
        if len(value) == size:
            return value
    return _INTEGER.to_bytes(size, "little")
