"""The values of memory that MPI has not written yet in a second run: values that no program expects there.

By MPI's rules no program reads them. So a program that behaves differently with these values has read them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .violations import CallPlace

#: What it may hold: small positive integers (they may be read as counts) and large floating-point numbers, which are
#: lost in no sum; the same with a minus; or what it held before, where simulated ranks would have written already.
POSITIVE, NEGATIVE, KEPT = "positive", "negative", "kept"

_INTEGER, _FLOAT = 113, 1.25e30

#: Formats of floating-point numbers, by the names of the predefined datatypes that have them.
_FLOATS = {
    "FLOAT": "f", "DOUBLE": "d", "REAL": "f", "REAL4": "f", "REAL8": "d", "DOUBLE_PRECISION": "d",
    "C_COMPLEX": "ff", "C_DOUBLE_COMPLEX": "dd", "CXX_FLOAT_COMPLEX": "ff", "CXX_DOUBLE_COMPLEX": "dd",
    "COMPLEX": "ff", "DOUBLE_COMPLEX": "dd", "COMPLEX8": "ff", "COMPLEX16": "dd",
}  # fmt: skip


class Undefined:
    """The values of memory that MPI has not written yet.

    :param where: whether what is given to MPI there holds such values.
    :param what: which.
    """

    def __init__(self, where: Callable[[CallPlace], bool], what: str = POSITIVE):
        self._where, self._what = where, what
        #: by line and rank, where memory is given to MPI that it writes.
        self.lines: dict[tuple[str, int], dict[int, CallPlace]] = {}

    def values(self, map: Any, content: bytes, place: CallPlace) -> bytes | None:
        """What memory holds in place of its content; None: that.

        :param map: the layout of an item.
        :param place: where the memory is given to MPI.
        """
        if not content or not map.size:
            return None
        self.lines.setdefault((place.file, place.line), {}).setdefault(place.rank, place)
        if not self._where(place):
            return None
        if self._what == KEPT:
            return content
        sign = -1 if self._what == NEGATIVE else 1
        item = b"".join(_value(name, size, sign) * count for (name, size), count in _sized(map))
        return (item * -(-len(content) // len(item)))[: len(content)]


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


def _value(name: str, size: int, sign: int) -> bytes:
    letters = _FLOATS.get(name, "")
    if letters:
        return struct.pack(letters, *[sign * _FLOAT] * len(letters))
    if "BOOL" in name:
        return (sign > 0).to_bytes(size, "little")
    signed = 1 if name == "BYTE" or "UNSIGNED" in name or "UINT" in name else sign
    return (signed * _INTEGER).to_bytes(size, "little", signed=True)
