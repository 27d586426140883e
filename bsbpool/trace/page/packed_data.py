"""Packs the data of the page: JSON for most of it, and the bytes of its columns of integers.

The bytes of a column are in planes: the lowest byte of each integer, then the second of each, as many as the largest
one needs. Planes of small integers deflate well, and the page makes typed arrays of them without an object or a text
for each integer. `js/columns.js` undoes this.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from array import array
from collections.abc import Iterator
from typing import Any

__all__ = ["packed"]

#: Bytes of an integer in a column of type ``"q"``.
_BYTES = 8


def packed(data: dict[str, Any]) -> tuple[str, str]:
    """The data of the page as two texts: base64 of what deflate made of its JSON, and of its columns.

    :param data: JSON data in which each column is an ``array("q")``. The JSON has an empty list in its place, and in
        ``columns`` where that is, how many integers it has, and how many bytes each of them takes.
    """
    bytes_of, places = _Deflated(), []
    for path, column in _columns(data, ()):
        width = _width(column)
        places.append([[*path], len(column), width])
        raw = array("q", column)
        if sys.byteorder == "big":
            raw.byteswap()
        planes = raw.tobytes()
        for plane in range(width):
            bytes_of.add(planes[plane::_BYTES])
    text = json.dumps({**data, "columns": places}, separators=(",", ":"), default=_no_column)
    told = _Deflated()
    told.add(text.encode())
    return told.text(), bytes_of.text()


def _columns(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], array[int]]]:
    """Each column within a value, and the keys that lead there."""
    if isinstance(value, array):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _columns(each, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for place, each in enumerate(value):
            yield from _columns(each, (*path, place))


def _no_column(value: object) -> list[int]:
    """What the JSON has in place of a column.

    :raises TypeError: it is none.
    """
    if isinstance(value, array):
        return []
    raise TypeError(f"{type(value).__name__} is no JSON")


def _width(column: array[int]) -> int:
    """How many bytes each integer of a column takes, its sign included."""
    least, most = (min(column), max(column)) if column else (0, 0)
    return next(width for width in range(1, _BYTES + 1) if -(1 << 8 * width - 1) <= least <= most < 1 << 8 * width - 1)


class _Deflated:
    """Bytes, deflated as they come."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(6)
        self._parts: list[bytes] = []

    def add(self, data: bytes) -> None:
        self._parts.append(self._deflate.compress(data))

    def text(self) -> str:
        """All of them, as base64; nothing can be added then."""
        return base64.b64encode(b"".join([*self._parts, self._deflate.flush()])).decode("ascii")
