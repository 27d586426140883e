"""Views of files: which bytes of a file a rank sees, and in which order.

A view counts bytes of its data, from 0 on; here they become places in the file. Reading and writing them belongs to
`open_files`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ..errors import CannotSimulateError, MPIError
from .datatypes import BYTE, Datatype
from .definitions import DEFINITIONS


class View:
    """A view: from byte `disp` of the file on, filetypes follow each other, each with data and holes.

    :param disp: the byte at which the first filetype begins.
    :param etype: the unit in which the program counts.
    :param filetype: which bytes are seen.
    :param datarep: how data is represented: ``"native"`` or ``"external32"``.
    :raises MPIError: the filetype is not made of whole etypes, or is not in ascending order.
    """

    def __init__(self, disp: int = 0, etype: Datatype = BYTE, filetype: Datatype = BYTE, datarep: str = "native"):
        self.disp, self.etype, self.filetype, self.datarep = disp, etype, filetype, datarep
        #: bytes of an etype, of the data of a filetype, and from one filetype to the next.
        self.item: int = etype.size
        self.unit: int = filetype.size
        self.step: int = filetype.extent
        if not self.item or self.unit % self.item:
            raise MPIError(
                f"Set_view: a filetype of {self.unit} bytes is not made of whole etypes of {self.item} bytes", "ERR_ARG"
            )
        #: the pieces of a filetype: where in it, how many bytes, and how many bytes of data come before.
        self.pieces: list[tuple[int, int, int]] = []
        before = 0
        for offset, length in layout(filetype):
            last = self.pieces[-1] if self.pieces else (0, 0, 0)
            if offset < last[0] + last[1]:
                raise MPIError(
                    f"Set_view: the filetype has byte {offset} after byte {last[0] + last[1] - 1}: its displacements "
                    "must be 0 or more, and in ascending order",
                    "ERR_ARG",
                )
            if self.pieces and offset == last[0] + last[1]:
                self.pieces[-1] = (last[0], last[1] + length, last[2])
            else:
                self.pieces.append((offset, length, before))
            before += length
        #: whether no byte is left out from `disp` on.
        self.plain = len(self.pieces) == 1 and self.unit == self.step and self.pieces[0][0] == 0

    def places(self, start: int, size: int) -> Iterator[tuple[int, int]]:
        """Where in the file `size` bytes of data from byte `start` on are: offset and length of each run."""
        if self.plain or not size:
            yield self.disp + start, size
            return
        tile, within = divmod(start, self.unit)
        while size:
            base = self.disp + tile * self.step
            for offset, length, before in self.pieces:
                skip = max(0, within - before)
                if skip >= length:
                    continue
                take = min(length - skip, size)
                yield base + offset + skip, take
                size -= take
                if not size:
                    return
            tile, within = tile + 1, 0

    def byte(self, start: int) -> int:
        """Where in the file byte `start` of the data is."""
        return next(self.places(start, 1))[0]

    def seen(self, file_size: int) -> int:
        """How many bytes of data are before byte `file_size` of the file."""
        rest = max(0, file_size - self.disp)
        if self.plain or not self.unit:
            return rest if self.plain else 0
        end = self.pieces[-1][0] + self.pieces[-1][1]
        tile = max(0, (rest - end) // self.step + 1) if rest >= end else 0
        count = tile * self.unit
        while tile * self.step + self.pieces[0][0] < rest:
            left = rest - tile * self.step
            count += sum(min(length, max(0, left - offset)) for offset, length, _ in self.pieces)
            tile += 1
        return count

    def items(self, file_size: int) -> int:
        """How many etypes, also those that have only begun, are before byte `file_size` of the file."""
        return -(-self.seen(file_size) // self.item)


#: Those whose size in external32 is not that in memory.
_RESIZED = ("LONG", "UNSIGNED_LONG", "LONG_DOUBLE", "C_LONG_DOUBLE_COMPLEX", "CXX_LONG_DOUBLE_COMPLEX", "WCHAR")


def layout(type: Datatype) -> list[tuple[int, int]]:
    """Where the bytes of an item are: displacements and lengths."""
    return type.map.ranges()


def _elements(type: Datatype) -> list[int]:
    sizes = []
    for name, count in type.map.primitives():
        if name in _RESIZED:
            raise CannotSimulateError(
                f"{name} has another size in external32 than in memory, which can't be simulated: use one of a fixed "
                'size, such as MPI.INT64_T, or the representation "native"'
            )
        number = DEFINITIONS[name]
        parts = 2 if number.letter in ("F", "D") else 1
        sizes += [number.map.size // parts] * (count * parts)
    return sizes


def turned(type: Datatype, data: bytes) -> bytes:
    """Items of `type` as external32 has them, with the most significant byte first; or back.

    :raises CannotSimulateError: there the type has another size.
    """
    sizes, result, at, each = _elements(type), bytearray(len(data)), 0, 0
    if sys.byteorder == "big":
        return data
    if len(set(sizes)) == 1:
        for i in range(sizes[0]):
            result[i :: sizes[0]] = data[sizes[0] - 1 - i :: sizes[0]]
        return bytes(result)
    while at < len(data):
        end = at + sizes[each]
        result[at:end] = data[at:end][::-1]
        at, each = end, (each + 1) % len(sizes)
    return bytes(result)
