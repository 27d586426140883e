"""Buffers as the upper-case methods take them: ``array``, ``[array, TYPE]``, ``[array, count, TYPE]``.

Turns such a specification into bytes and back. Sending them, and waiting for them, belongs elsewhere.
"""

from __future__ import annotations

from typing import Any

from ..errors import MPIError, TruncationError
from .constants import IN_PLACE, means
from .datatypes import Datatype, datatype, of_buffer


class Buffer:
    """A run of items in somebody's memory.

    :param spec: an object with the buffer protocol, or a list of it with any of: a count, or a tuple of a
        count and a displacement (in items); a datatype, or a letter of `struct`.
    :param blocks: where `spec` is for all ranks: the number of ranks.
    :param vector: whether it may name a count and a displacement for each of them; one count is that of all, and one
        displacement is how far blocks are from each other.
    :raises MPIError: it can't be read as that, or is not contiguous, or smaller than its count says.
    :raises BufferError: it names no datatype, and its bytes are in the order of another machine.
    :raises KeyError: it names no datatype, and none has its format.
    """

    def __init__(self, spec: Any, blocks: int | None = None, vector: bool = False):
        array, *rest = spec if isinstance(spec, list | tuple) else (spec,)
        given = datatype(rest.pop()) if rest and not _counts(rest[-1]) else None
        memory = memoryview(b"" if array is None else array)
        if not memory.contiguous:
            raise MPIError("a buffer must be contiguous: copy it first, with numpy.ascontiguousarray(…)")
        self.type: Datatype = given or of_buffer(memory.format)
        self.bytes = _as_bytes(array, memory)
        item = self.type.size
        self.counts: list[int] | None = None
        self.offsets: list[int] | None = None
        count, offset = len(self.bytes) // item, 0
        if rest and rest[0] is not None:
            if len(rest) == 1:
                rest = list(rest[0]) if isinstance(rest[0], tuple) else [rest[0], None]
            counts, offsets = rest
            if vector and blocks is not None:
                counts = [counts] * blocks if isinstance(counts, int) else counts
                offsets = [offsets * i for i in range(blocks)] if isinstance(offsets, int) else offsets
            if not hasattr(counts, "__len__"):
                # In a buffer for all ranks, a count is that of one rank.
                count, offset = counts * (blocks or 1), offsets or 0
            else:
                self.counts = [int(c) for c in counts]
                self.offsets = None if offsets is None else [int(o) for o in offsets]
        if blocks is not None:
            if self.counts is None:
                share, left = divmod(count, blocks)
                if left and not vector:
                    raise MPIError(f"a buffer of {count} items can't be divided among {blocks} ranks")
                self.counts = [share + (i < left) for i in range(blocks)]
            if len(self.counts) != blocks:
                raise MPIError(f"{len(self.counts)} counts for {blocks} ranks: name one for each rank")
            if self.offsets is None:
                self.offsets = [sum(self.counts[:i]) for i in range(blocks)]
        elif self.counts is not None:
            count = sum(self.counts)
        if (offset + count) * item > len(self.bytes):
            raise MPIError(
                f"a buffer of {len(self.bytes)} bytes has no room for {offset + count} items of {self.type!r}"
            )
        self.bytes = self.bytes[offset * item : (offset + count) * item]

    def __len__(self) -> int:
        return len(self.bytes)

    def read(self) -> bytes:
        """The data of all items."""
        return bytes(self.bytes)

    def read_block(self, rank: int) -> bytes:
        """The data of `rank`'s block."""
        return bytes(self.bytes[self.block(rank)])

    def put(self, data: bytes | memoryview, what: str, at: int = 0, room: int | None = None) -> None:
        """Write `data` into this buffer, from byte `at` on.

        :raises TruncationError: it does not fit into `room` bytes.
        :raises MPIError: the buffer is read-only.
        """
        room = len(self.bytes) - at if room is None else room
        if len(data) > room:
            raise TruncationError(
                f"{what} is {len(data)} bytes, and the buffer that receives it {room}: make it large enough"
            )
        if data:
            if self.bytes.readonly:
                raise MPIError(f"the buffer that receives {what} is read-only")
            self.bytes[at : at + len(data)] = data

    def block(self, rank: int) -> slice:
        """The bytes of `rank`'s block."""
        assert self.counts is not None
        assert self.offsets is not None
        start = self.offsets[rank] * self.type.size
        return slice(start, start + self.counts[rank] * self.type.size)

    def fill(self, rank: int, data: bytes | memoryview, what: str) -> None:
        """Write `data` into `rank`'s block, as `put` does."""
        block = self.block(rank)
        self.put(data, what, block.start, min(block.stop, len(self.bytes)) - block.start)


def _counts(part: Any) -> bool:
    return part is None or not (isinstance(part, str | Datatype) or hasattr(part, "Get_name"))


def _as_bytes(array: Any, memory: memoryview) -> memoryview:
    if memory.nbytes == 0:
        return memoryview(b"")
    # Of an array in Fortran's order, the transposed has C's.
    return (memory if memory.c_contiguous else memoryview(array.T)).cast("B")


def in_place(spec: Any) -> bool:
    """Whether `spec` is MPI.IN_PLACE."""
    # It is an integer, also the real mpi4py's: asked first, since most buffers are none.
    return isinstance(spec, int) and means(spec, IN_PLACE)
