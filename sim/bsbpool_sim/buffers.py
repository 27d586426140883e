"""Buffers as the upper-case methods take them: ``array``, ``[array, TYPE]``, ``[array, count, TYPE]``.

Turns such a specification into bytes and back. Sending them, and waiting for them, belongs elsewhere.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from .constants import BYTE, IN_PLACE, Datatype, Op, datatype, means, of_format
from .errors import CannotSimulateError, MPIError, TruncationError


class Buffer:
    """A run of items in somebody's memory.

    :param spec: an object with the buffer protocol, or a list of it with any of: a count, or a tuple of a
        count and a displacement (in items); a datatype, or a letter of `struct`.
    :param blocks: where `spec` may name a count for each rank: the number of ranks.
    :raises MPIError: it can't be read as that, or is not contiguous, or smaller than its count says.
    """

    def __init__(self, spec: Any, blocks: int | None = None):
        array, *rest = spec if isinstance(spec, list | tuple) else (spec,)
        given = datatype(rest.pop()) if rest and not _counts(rest[-1]) else None
        memory = memoryview(b"" if array is None else array)
        if not memory.contiguous:
            raise MPIError("a buffer must be contiguous: copy it first, with numpy.ascontiguousarray(…)")
        self.type: Datatype = given or of_format(memory.format) or BYTE
        self.bytes = _as_bytes(array, memory)
        item = self.type.size
        self.counts: list[int] | None = None
        self.offsets: list[int] | None = None
        count, offset = len(self.bytes) // item, 0
        if rest and rest[0] is not None:
            if len(rest) == 1:
                rest = list(rest[0]) if isinstance(rest[0], tuple) else [rest[0], None]
            counts, offsets = rest
            if not hasattr(counts, "__len__"):
                # In a buffer for all ranks, a count is that of one rank.
                count, offset = counts * (blocks or 1), offsets or 0
            else:
                self.counts = [int(c) for c in counts]
                self.offsets = None if offsets is None else [int(o) for o in offsets]
        if blocks is not None:
            if self.counts is None:
                if count % blocks:
                    raise MPIError(f"a buffer of {count} items can't be divided among {blocks} ranks")
                self.counts = [count // blocks] * blocks
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
    return spec is not None and means(spec, IN_PLACE)


def combine(op: Op, type: Datatype, parts: Sequence[bytes | memoryview]) -> bytes:
    """The reduction of `parts`, arrays of `type` of equal length, in order.

    :raises MPIError: their lengths differ.
    :raises CannotSimulateError: `op` has no form for arrays.
    """
    if len({len(p) for p in parts}) > 1:
        raise MPIError(f"ranks reduce buffers of different sizes: {sorted({len(p) for p in parts})} bytes")
    if op.user:
        result = bytearray(parts[0])
        for part in parts[1:]:
            after = bytearray(part)
            op.function(memoryview(result), memoryview(after), type)
            result = after
        return bytes(result)
    if op.name in ("REPLACE", "NO_OP"):
        return bytes(parts[-1] if op.name == "REPLACE" else parts[0])
    if op.ufunc is None:
        raise CannotSimulateError(f"{op!r} of buffers can't be simulated: use the lower-case method")
    import numpy

    ufunc = getattr(numpy, op.ufunc)
    arrays = (numpy.frombuffer(p, type.dtype) for p in parts)
    with numpy.errstate(all="ignore"):
        total = functools.reduce(lambda a, b: ufunc(a, b).astype(type.dtype), arrays)
    return bytes(total.tobytes())
