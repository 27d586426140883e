"""The buffers of one rank in a collective call, as blocks: one for each rank that it sends to or receives from.

How a specification of a buffer is read belongs to `buffers`; which block goes where, to `collective_parts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import CountMismatchError, MPIError, TruncationError
from .arrays import bytes_of, is_bottom
from .buffers import Buffer, in_place
from .datatypes import datatype
from .running_rank import running_task
from .signatures import difference

#: Says, of the number of a block, whose data goes there.
Giver = Callable[[int], str]


_BROUGHT = "what a collective call brings"


class Blocks:
    """Blocks of a buffer.

    :param spec: the buffer as the program gave it.
    :param count: into how many blocks of one size it is divided; None: it is one block.
    :param vector: whether blocks may differ in size and place.
    :param receives: whether they will be written into.
    """

    def __init__(self, spec: Any, count: int | None = None, vector: bool = False, receives: bool = False):
        if spec is not None and in_place(spec):
            raise MPIError("MPI.IN_PLACE was given where this rank needs a buffer", "ERR_BUFFER")
        self._buffer = Buffer(spec, count, vector, receives)
        self._whole = count is None

    @property
    def buffers(self) -> list[Buffer]:
        """The buffers that contain these blocks."""
        return [self._buffer]

    def read(self, block: int = 0) -> bytes:
        """Return the data of a block."""
        return self._buffer.read() if self._whole else self._buffer.read_block(block)

    def write(self, data: bytes, giver: Giver, block: int = 0) -> None:
        """Replace the content of a block.

        :param giver: says whose data it is.
        :raises TruncationError: the block is too small for it.
        :raises MPIError: the block is larger.
        """
        buffer = self._buffer
        if self._whole:
            put(buffer, data, giver, block)
            return
        assert buffer.counts is not None
        room = buffer.counts[block] * buffer.type.size
        if len(data) != room:
            _misfit(data, room, giver(block))
        buffer.fill(block, data, _BROUGHT)


def put(buffer: Buffer, data: bytes, giver: Giver, number: int) -> None:
    """Write data into a buffer; both must have the same size.

    :param giver: says of the number whose data it is.
    :raises TruncationError: it is more.
    :raises MPIError: it is less.
    """
    if len(data) != len(buffer):
        _misfit(data, len(buffer), giver(number))
    buffer.put(data, _BROUGHT)


def _misfit(data: bytes, room: int, what: str) -> NoReturn:
    if len(data) > room:
        raise TruncationError(
            f"{what} is {len(data)} bytes, and the buffer that receives it {room}: make it large enough"
        )
    # MPICH takes it, and puts blocks in wrong places, from 4 ranks on.
    raise CountMismatchError(
        f"{what} is {len(data)} bytes, and the buffer that receives it {room}: in a collective call they have one size"
    )


class TypedData(bytes):
    """Data of a block that has a datatype of its own.

    :ivar type: that.
    """

    type: Any


class TypedBlocks:
    """Blocks with a datatype each: ``[array, counts, offsets, TYPES]``, with offsets in bytes.

    :param spec: the buffer as the program gave it.
    :param count: how many blocks there are.
    :param receives: whether they will be written into.
    :raises ValueError: it is no such specification.
    """

    def __init__(self, spec: Any, count: int, receives: bool = False):
        if not isinstance(spec, list | tuple):
            raise TypeError(f"message: expecting a list or tuple, not {spec!r}")
        if not 2 <= len(spec) <= 4:
            raise ValueError("message: expecting 2 to 4 items: [array, counts, offsets in bytes, datatypes]")
        array, types = spec[0], spec[-1]
        counts, offsets = [1] * count, [0] * count
        if len(spec) == 3:
            counts, offsets = spec[1]
        elif len(spec) == 4:
            counts, offsets = spec[1], spec[2]
        if counts is None and offsets is None and not is_bottom(array):
            counts, offsets = [1] * count, [0] * count
        for what, given in (("counts", counts), ("offsets", offsets), ("datatypes", types)):
            if given is None or len(given) != count:
                number = "no" if given is None else len(given)
                raise ValueError(f"message: {number} {what} for {count} ranks: name one for each rank")
        if not is_bottom(array):
            memory = bytes_of(array, receives)
            runs = zip(counts, offsets, types, strict=True)
            self._blocks = [Blocks([memory[offset:], number, type]) for number, offset, type in runs]
            return
        # Offsets from there are addresses, as those in the datatypes are.
        self._blocks = []
        for number, offset, type in zip(counts, offsets, types, strict=True):
            placed = datatype(type).Create_hindexed([number], [offset]).Commit()
            self._blocks.append(Blocks([array, 1, placed]))
            placed.Free()

    @property
    def buffers(self) -> list[Buffer]:
        """The buffers that contain these blocks."""
        return [buffer for block in self._blocks for buffer in block.buffers]

    def read(self, block: int = 0) -> bytes:
        """Return the data of a block."""
        data = TypedData(self._blocks[block].read())
        (buffer,) = self._blocks[block].buffers
        data.type = buffer.type.definition
        return data

    def write(self, data: bytes, giver: Giver, block: int = 0) -> None:
        """Replace the data of a block, as `Blocks.write` does."""
        audit = running_task().kernel.cluster.audit
        if audit is not None and isinstance(data, TypedData):
            (buffer,) = self._blocks[block].buffers
            if (problem := difference(data.type, buffer.type.definition, len(data))) is not None:
                receives, gives = problem
                audit.mismatched(f"receives {receives}", f"{giver(block)} is {gives}; both have to name the same type")
        self._blocks[block].write(data, lambda _: giver(block))


def blocks(spec: Any, count: int, kind: str, receives: bool = False) -> Blocks | TypedBlocks:
    """Make blocks of one size (kind ""), of different sizes ("v"), or with a datatype each ("w")."""
    return TypedBlocks(spec, count, receives) if kind == "w" else Blocks(spec, count, kind == "v", receives)


def read_all(source: Blocks | TypedBlocks, count: int) -> tuple[list[bytes], int]:
    """Return the data of all blocks, and its size in bytes."""
    parts = [source.read(block) for block in range(count)]
    return parts, sum(map(len, parts))


def not_shared(call: str, sendbuf: Any, recvbuf: Any) -> None:
    """Check that a rank does not send from the buffer into which it receives.

    :raises MPIError: it does.
    """
    mine = sendbuf[0] if sendbuf.__class__ in (list, tuple) and sendbuf else sendbuf
    theirs = recvbuf[0] if recvbuf.__class__ in (list, tuple) and recvbuf else recvbuf
    if mine is theirs and not is_bottom(mine) and bytes_of(mine).nbytes:
        raise MPIError(
            f"{call}: sendbuf and recvbuf are one buffer, and MPI forbids that: give MPI.IN_PLACE as sendbuf, or two "
            "buffers",
            "ERR_BUFFER",
        )
