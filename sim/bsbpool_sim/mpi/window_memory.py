"""The memory of windows: the memory that each rank contributed, and the items of it that an access reads or writes.

`window_epochs` decides when it may be accessed.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable
from typing import Any

from ..errors import MPIError
from ..late_turns import Use
from .addresses import address_of
from .buffers import Buffer
from .datatypes import DATATYPES, Datatype, datatype

WIN_FLAVOR_CREATE, WIN_FLAVOR_ALLOCATE, WIN_FLAVOR_DYNAMIC, WIN_FLAVOR_SHARED = 1, 2, 3, 4


class Memory:
    """The memory that one rank contributed to a window.

    :param view: its bytes; None: it attaches memory, which others know by its addresses.
    :param unit: bytes of one unit of displacements.
    """

    def __init__(self, view: memoryview | None, unit: int = 1):
        self.view, self.unit = view, unit
        #: what is attached: address, bytes.
        self.attached: list[tuple[int, memoryview]] = []
        #: what was, and is not any more: where it begins and ends.
        self._detached: list[tuple[int, int]] = []

    def attach(self, memory: memoryview) -> None:
        """Attach memory.

        :raises MPIError: some of it is attached already.
        """
        first, last = address_of(memory), address_of(memory) + len(memory)
        if any(first < base + len(view) and base < last for base, view in self.attached):
            raise MPIError("Attach: some of this memory is attached already", "ERR_RMA_ATTACH")
        self.attached.append((first, memory))

    def detach(self, memory: memoryview) -> None:
        """Detach memory that was attached.

        :raises MPIError: it was not.
        """
        address = address_of(memory)
        found = [each for each in self.attached if each[0] == address]
        if not found:
            raise MPIError("Detach: this memory is not attached", "ERR_RMA_ATTACH")
        self.attached.remove(found[0])
        self._detached.append((address, address + len(found[0][1])))

    def find(self, call: str, rank: int, displacement: int, first: int, last: int) -> tuple[memoryview, int]:
        """The bytes in which an access lies that begins at `displacement` units.

        :param first: the first byte from there that it is about; `last`: the one behind its last.
        :returns: these bytes, and where in them the displacement is.
        :raises MPIError: it is not within this memory.
        """
        at = displacement * self.unit
        if self.view is None:
            for base, view in self.attached:
                if base <= at + first and at + last <= base + len(view):
                    return view, at - base
            # The address differs from run to run, so it is not said.
            what = self._what_is_at(at + first, at + last)
            text = f"{call} of {last - first} bytes in the memory of rank {rank}, {what}"
            raise MPIError(f"{text}: a displacement is what MPI.Get_address gives there", "ERR_RMA_RANGE")
        if at + first < 0 or at + last > len(self.view):
            text = f"{call} of bytes {at + first} to {at + last} of rank {rank}'s window, which has {len(self.view)}"
            raise MPIError(text, "ERR_DISP" if displacement < 0 else "ERR_RMA_RANGE")
        return self.view, at

    def _what_is_at(self, first: int, last: int) -> str:
        for base, view in self.attached:
            if base <= first < base + len(view):
                return f"which has attached {base + len(view) - first} bytes there only"
        if any(low <= first and last <= high for low, high in self._detached):
            return "which has detached them"
        return "which has not attached them"


class Items:
    """Items of a datatype in a rank's memory that an access reads or writes.

    :ivar at: the byte at which they begin.
    """

    def __init__(self, memory: memoryview, at: int, count: int, type: Datatype):
        self._memory, self.at, self._count, self.type = memory, at, count, type
        #: bytes of data.
        self.size: int = count * type.map.size

    def ranges(self) -> list[tuple[int, int]]:
        """Where they are in this memory: the first byte of each run of them, and the one behind its last."""
        map = self.type.map
        if map.dense and map.extent == map.size:
            return [(self.at, self.at + self.size)] if self.size else []
        bases = range(self.at, self.at + self._count * map.extent, map.extent) if map.extent else [self.at]
        return [(base + at, base + at + length) for base in bases for at, length in map.ranges()]

    def use(self, alike: Hashable) -> Use:
        """What a turn at them is for: all from the first byte to the last.

        :param alike: as in `Use`.
        """
        ranges = self.ranges()
        return Use(min((low for low, _ in ranges), default=0), max((high for _, high in ranges), default=0), alike)

    def read(self) -> bytes:
        """Their data."""
        return self.type.map.pack(self._memory, self.at, self._count)

    def write(self, data: bytes | memoryview) -> None:
        """Write data, which may be less than theirs."""
        if data:
            self.type.map.unpack(self._memory, self.at, self._count, data)


def basic(call: str, type: Datatype) -> Datatype:
    """The predefined datatype that a datatype consists of.

    :raises MPIError: it consists of several.
    """
    if type.definition is not None and type.definition.row is None:
        names = {name for name, _ in type.map.signature()}
        if len(names) != 1:
            text = f"{call} of {type!r}: a datatype must consist of one predefined datatype, and this has {len(names)}"
            raise MPIError(text, "ERR_TYPE")
        return DATATYPES[names.pop()]
    return type


def target_of(target: Any, origin: Buffer) -> tuple[int, int, Datatype]:
    """A displacement, a count and a datatype, of what mpi4py takes for a target.

    :raises ValueError: it is none.
    :raises MPIError: the count is negative.
    """
    parts = list(target) if isinstance(target, list | tuple) else [0 if target is None else target]
    if len(parts) > 3 or not all(hasattr(part, "__index__") for part in parts[:2]):
        raise ValueError(f"target={target!r}: it is a displacement, or that with a count, and a datatype")
    displacement = operator.index(parts[0]) if parts else 0
    count = operator.index(parts[1]) if len(parts) > 1 else origin.count
    type = datatype(parts[2]) if len(parts) > 2 else origin.type
    if type.definition is None or not type.definition.committed:
        raise MPIError(f"target={target!r}: the datatype is null, or was not committed", "ERR_TYPE")
    if count < 0:
        raise MPIError(f"target={target!r}: a count is 0 or more", "ERR_COUNT")
    return displacement, count, type
