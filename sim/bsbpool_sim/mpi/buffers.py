"""Buffers as the upper-case methods accept them: ``array``, ``[array, TYPE]``, ``[array, count, TYPE]``.

Turns such a specification into bytes and back. Sending them, and waiting for them, belongs elsewhere; how data lies in
an item of a datatype, to `typemaps`; whose memory it is, to `arrays`.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from typing import Any

from ..errors import CannotSimulateError, MPIError, TruncationError
from .addresses import address_of
from .arrays import as_bytes, at_address, has_objects, is_bottom, no_buffer, view_of
from .constants import IN_PLACE, means
from .datatypes import FORMATS, Datatype, datatype, of_buffer

#: Bytes at the beginning of memory where nothing is.
_PAGE = 4096

#: Runs of bytes of a buffer that are told one by one.
_MOST_SPANS = 10_000


class Buffer:
    """Items in memory that belongs to the program.

    :param spec: an object with the buffer protocol, or a list of it with any of: a count, or a tuple of a
        count and a displacement (in items); a datatype, or a code such as "d".
    :param blocks: where `spec` is for all ranks: the number of ranks.
    :param vector: whether it may name a count and a displacement for each of them; one count is that of all, and one
        displacement is how far blocks are from each other.
    :param receives: whether it will be written into.
    :raises MPIError: it is not contiguous, or smaller than its count says, or its datatype was not committed.
    :raises ValueError: its counts or displacements can't be right.
    :raises TypeError: it is no specification of a buffer.
    :raises BufferError: it is read-only and must not be; or it names no datatype, and its bytes are in the order of
        another machine.
    :raises KeyError: it names no datatype, and none has its format.
    :ivar type: its datatype; `map`: the layout of that.
    :ivar count: how many items; `size`: how many bytes of data that is.
    :ivar counts: for all ranks: of each block; `offsets`: where these are, in items.
    """

    __slots__ = ("_at", "_memory", "_owner", "count", "counts", "map", "offsets", "size", "type")

    counts: list[int]
    offsets: list[int]

    def __init__(self, spec: Any, blocks: int | None = None, vector: bool = False, receives: bool = False):
        if blocks is None and not vector and self._is_plain(spec, receives):
            return
        array, count, offset, type = _parts(spec, vector)
        memory, format, self._owner = view_of(array)
        absolute = not memory.nbytes and is_bottom(array)
        if receives and memory.readonly and memory.nbytes:
            raise BufferError("the buffer that receives is read-only: give one that can be written")
        if type is None and absolute:
            raise KeyError("a buffer that is None, or MPI.BOTTOM, needs a datatype: [None, 0, MPI.BYTE]")
        # Without a datatype it has that of its format.
        self.type = of_buffer(format) if type is None else datatype(type)
        self._memory = as_bytes(array, memory)
        definition = self.type.definition
        if definition is not None:
            self.map = definition.map
        if vector:
            self._divide(count, offset, blocks or 0)
        else:
            self._place(count, offset, blocks)
        if definition is None:
            raise MPIError("a buffer's datatype is DATATYPE_NULL: name one that is there", "ERR_TYPE")
        if not definition.committed:
            raise MPIError(f"{definition!r} was not committed: call its Commit() before it is used", "ERR_TYPE")
        self.size = self.count * self.map.size
        if self.count:
            if array is None:
                raise ValueError(f"message: buffer is None but count is {self.count}")
            self._check(absolute)

    def _is_plain(self, spec: Any, receives: bool) -> bool:
        """Take in what most programs give: whole memory, or so many items of it from the first on, of a predefined
        datatype. Returns whether it is that, and right; what else there is to say is said elsewhere."""
        count = given = None
        if spec.__class__ is list or spec.__class__ is tuple:
            if len(spec) == 2:
                spec, given = spec
            elif len(spec) == 3 and spec[1].__class__ is int:
                spec, count, given = spec
            if given.__class__ is not Datatype or given._state is None or given._state.row is None:
                return False
        try:
            memory = memoryview(spec)
        except TypeError:
            return False
        length = memory.nbytes
        if not length or not memory.c_contiguous or (receives and memory.readonly):
            return False
        type = FORMATS.get(memory.format) if given is None else given
        definition = None if type is None else type._state
        if type is None or definition is None or not definition.map.dense or has_objects(memory):
            return False
        map = definition.map
        size = map.size
        if count is None:
            count = length // size
            if count * size != length:
                return False
        elif count < 0 or count * size > length:
            return False
        self._owner, self._at, self._memory = None, 0, memory.cast("B")
        self.type, self.map, self.count, self.size = type, map, count, count * size
        return True

    # -- what a specification means ----------------------------------------------------------------

    def _extent(self, what: str) -> int:
        if self.type.definition is None:
            raise ValueError(f"message: cannot {what}, datatype is null")
        if self.map.extent <= 0:
            raise ValueError(
                f"message: cannot {what}, datatype extent {self.map.extent} (lb:{self.map.lb}, ub:{self.map.ub})"
            )
        return self.map.extent

    def _whole(self, length: int) -> int:
        """How many items there are in so many bytes of memory."""
        if not length:
            return 0
        extent = self._extent("infer count")
        if length % extent:
            raise ValueError(
                f"message: cannot infer count, buffer length {length} is not a multiple of datatype extent {extent} "
                f"(lb:{self.map.lb}, ub:{self.map.ub})"
            )
        return length // extent

    def _place(self, count: Any, offset: Any, blocks: int | None) -> None:
        """One run of items, or one block of the same size for each rank."""
        length, self._at = self._memory.nbytes, 0
        if offset is not None:
            offset = operator.index(offset)
            if offset < 0:
                raise ValueError(f"message: negative displacement {offset}")
            if offset > 0:
                extent = self._extent("handle displacement")
                if offset * extent > length:
                    raise ValueError(
                        f"message: displacement {offset} out of bounds, number of datatype entries {length // extent}"
                    )
                self._at = offset * extent
        if count is None:
            number = self._whole(length - self._at)
            if blocks and number % blocks:
                raise ValueError(
                    f"message: cannot infer count, number of entries {number} is not a multiple of required number of "
                    f"blocks {blocks}"
                )
            each = number // blocks if blocks else number
        else:
            each = operator.index(count)
            if each < 0:
                raise ValueError(f"message: negative count {each}")
        self.count = each * (1 if blocks is None else blocks)
        if blocks is not None:
            self.counts, self.offsets = [each] * blocks, [i * each for i in range(blocks)]

    def _divide(self, counts: Any, offsets: Any, blocks: int) -> None:
        """A block for each rank, which may differ in size."""
        self._at = 0
        if counts is None:
            share, left = divmod(self._whole(self._memory.nbytes), max(blocks, 1))
            self.counts = [share + (i < left) for i in range(blocks)]
        else:
            self.counts = _each(counts, blocks)
        if offsets is None:
            self.offsets = [sum(self.counts[:i]) for i in range(blocks)]
        elif (step := _number(offsets)) is not None:
            self.offsets = [step * i for i in range(blocks)]
        else:
            self.offsets = _each(offsets, blocks)
        if any(c < 0 for c in self.counts):
            raise MPIError(f"counts={self.counts}: a block has no negative count", "ERR_COUNT")
        self.count = sum(self.counts)

    def _check(self, absolute: bool) -> None:
        """See that all items are in the memory that was given."""
        runs = [(self._at, self.count)]
        if hasattr(self, "counts"):
            runs = [
                (self._at + o * self.map.extent, c) for o, c in zip(self.offsets, self.counts, strict=True) if c
            ]  # fmt: skip
        spans = [(at + self.map.span(count)[0], at + self.map.span(count)[1]) for at, count in runs]
        first, last = min(a for a, _ in spans), max(b for _, b in spans)
        if absolute and (first < _PAGE or first == last):
            raise MPIError(
                "with MPI.BOTTOM, the displacements of a datatype are addresses: see MPI.Get_address", "ERR_BUFFER"
            )
        if absolute:
            # Displacements are addresses: what is there stands for a buffer that begins at the first.
            self._memory, self._at = at_address(first, last - first), self._at - first
        elif first < 0 or last > self._memory.nbytes:
            raise MPIError(
                f"a buffer of {self._memory.nbytes} bytes has no room for {self.count} items of {self.type!r}, which "
                f"reach from byte {first} to byte {last}",
                "ERR_BUFFER",
            )

    # -- its bytes ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Bytes of data."""
        return self.size

    def read(self) -> builtins.bytes:
        """Return the data of all items."""
        return self.map.pack(self._memory, self._at, self.count)

    def spans(self) -> list[tuple[int, int]]:
        """Return the addresses of its runs of bytes, in order: the first byte of each, and the one behind its last. If
        there are too many runs, return none.
        """
        if not self.size:
            return []
        start, map, found = address_of(self._memory), self.map, list[tuple[int, int]]()
        for at, count in self._blocks():
            if map.dense:
                found.append((start + at, start + at + count * map.size))
                continue
            ranges = map.ranges()
            if len(found) + count * len(ranges) > _MOST_SPANS:
                return []
            bases = [start + at + i * map.extent for i in range(count)]
            found += [(base + first, base + first + length) for base in bases for first, length in ranges]
        return sorted(found)

    def _blocks(self) -> list[tuple[int, int]]:
        """Where its blocks begin, in bytes, and how many items each has."""
        if not hasattr(self, "counts"):
            return [(self._at, self.count)]
        return [(self._at + o * self.map.extent, c) for o, c in zip(self.offsets, self.counts, strict=True) if c]

    def content(self) -> builtins.bytes:
        """Return the data of all its blocks."""
        return b"".join([self.map.pack(self._memory, at, count) for at, count in self._blocks()])

    def replace(self, data: builtins.bytes) -> None:
        """Write the data of all its blocks; the last block may be missing."""
        for at, count in self._blocks():
            size = count * self.map.size
            self.map.unpack(self._memory, at, count, data[:size])
            data = data[size:]

    @property
    def bytes(self) -> memoryview:
        """The bytes of its items, which must be contiguous; of blocks, all its memory.

        :raises CannotSimulateError: its datatype has gaps.
        """
        if self.count and not self.map.dense:
            raise CannotSimulateError(f"a buffer of {self.type!r} can't be simulated here: its items have gaps")
        whole = self._memory[self._at :]
        return whole if hasattr(self, "counts") else whole[: self.size]

    @property
    def buffers(self) -> list[Buffer]:
        """The buffer itself: `Blocks` have several."""
        return [self]

    @property
    def readonly(self) -> bool:
        """Whether its memory is read-only."""
        return self._memory.readonly

    def block(self, rank: int) -> slice:
        """Return the range of `rank`'s block in `bytes`."""
        start = self.offsets[rank] * self.map.extent
        return slice(start, start + self.counts[rank] * self.map.size)

    def alone(self, rank: int) -> Buffer:
        """Return `rank`'s block as a buffer of its own."""
        one = object.__new__(Buffer)
        one._owner, one._memory, one.type, one.map = self._owner, self._memory, self.type, self.map
        one._at, one.count = self._at + self.offsets[rank] * self.map.extent, self.counts[rank]
        one.size = one.count * self.map.size
        return one

    def put(self, data: builtins.bytes | memoryview, what: str) -> None:
        """Write `data` into this buffer. If it is shorter than the buffer, the rest is not changed.

        :raises TruncationError: it does not fit.
        :raises MPIError: the buffer is read-only.
        """
        self._write(data, what, self._at, self.count)

    def read_block(self, rank: int) -> builtins.bytes:
        """Return the data of `rank`'s block."""
        return self.map.pack(self._memory, self._at + self.offsets[rank] * self.map.extent, self.counts[rank])

    def fill(self, rank: int, data: builtins.bytes | memoryview, what: str) -> None:
        """Write `data` into `rank`'s block, as `put` does."""
        self._write(data, what, self._at + self.offsets[rank] * self.map.extent, self.counts[rank])

    def _write(self, data: builtins.bytes | memoryview, what: str, at: int, count: int) -> None:
        if len(data) > count * self.map.size:
            raise TruncationError(
                f"{what} is {len(data)} bytes, and the buffer that receives it {count * self.map.size}: "
                "make it large enough"
            )
        if data:
            if self._memory.readonly:
                raise MPIError(f"the buffer that receives {what} is read-only", "ERR_BUFFER")
            self.map.unpack(self._memory, at, count, data)


def _parts(spec: Any, vector: bool) -> tuple[Any, Any, Any, Any]:
    """Array, count, displacement and datatype of a specification; those that it does not name are None."""
    if not isinstance(spec, list | tuple):
        return (spec if spec is not None else no_buffer(spec)), None, None, None
    if len(spec) == 2:
        array, second = spec
        if _is_datatype(second):
            return array, None, None, second
        return array, *_both(second, vector), None
    if len(spec) == 3:
        array, second, type = spec
        return array, *_both(second, vector), type
    if len(spec) == 4:
        return spec[0], spec[1], spec[2], spec[3]
    raise ValueError("message: expecting 2 to 4 items")


def _both(counts: Any, vector: bool) -> tuple[Any, Any]:
    """A count and a displacement of what may be both."""
    if isinstance(counts, tuple) or (not vector and isinstance(counts, list)):
        count, displacement = counts
        return count, displacement
    return counts, None


def _is_datatype(part: Any) -> bool:
    return isinstance(part, str | Datatype) or hasattr(part, "Get_true_extent")


def _number(value: Any) -> int | None:
    """An integer; None if it is something else, such as an array of them."""
    try:
        return operator.index(value)
    except TypeError:
        return None


def _each(values: Sequence[int], blocks: int) -> list[int]:
    number = _number(values)
    if number is not None:
        return [number] * blocks
    found = [operator.index(value) for value in values]
    if len(found) != blocks:
        raise ValueError(f"expecting {blocks} items, got {len(found)}")
    return found


def in_place(spec: Any) -> bool:
    """Return whether `spec` is MPI.IN_PLACE, or None, which means the same."""
    # It is an integer, also the real mpi4py's: asked first, since most buffers are none.
    return spec is None or means(spec, IN_PLACE)
