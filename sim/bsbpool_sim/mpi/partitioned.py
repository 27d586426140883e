"""Partitioned communication: messages that a rank sends part by part, as the parts become ready.

Each part is a separate message, in a separate context of the communicator, so that no other receive takes it.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..errors import MPIError, TruncationError
from ..mailbox import SentMessage
from .buffers import Buffer
from .kept_by_rank import of_rank
from .persistent_requests import Prequest
from .request_lists import look
from .status import fill


class Partition(SentMessage):
    """One part of a message in parts, with its number."""

    __slots__ = ("index", "parts")

    def __init__(self, source: int, tag: int, data: bytes, index: int, parts: int):
        super().__init__(source, tag, data)
        self.index, self.parts = index, parts


class CommOfRank(Protocol):
    """Interface of a communicator as one rank has it, also when the program has freed its handle."""

    cluster: Any
    context: Any
    world_rank: int
    rank: int


def _tag_of(comm: CommOfRank, what: str, peer: int | None, tag: int) -> int:
    """The tag of a pair of requests: the n-th that a rank makes with a peer and a tag is for the peer's n-th."""
    made: dict[Any, int] = of_rank("partitioned requests", dict)
    key = (comm.context.number, what, peer, tag)
    made[key] = made.get(key, 0) + 1
    return made[key] << 32 | tag


class PartitionedSend(Prequest):
    """The request of a send in partitions.

    :param dest: None: PROC_NULL.
    """

    _is_done = False

    def __init__(self, comm: CommOfRank, buffer: Buffer | None, partitions: int, dest: int | None, tag: int):
        super().__init__(comm.cluster.kernel)
        self._comm, self._buffer, self._dest = comm, buffer, dest
        self._sent = [False] * partitions
        self._tag = _tag_of(comm, "send", dest, tag)
        self._idle()

    def waits_for(self) -> str:
        """Return what it waits for, in words."""
        missing = ", ".join(str(i) for i, sent in enumerate(self._sent) if not sent)
        return f"Pready of its partitions {missing} (Psend_init)"

    def _start(self) -> None:
        self._sent = [False] * len(self._sent)
        self.done = self.over = False

    def _send_partition(self, partition: int) -> None:
        if self.over:
            raise MPIError("Pready of a request that was not started: call its Start() first", "ERR_REQUEST")
        if not 0 <= partition < len(self._sent):
            raise MPIError(f"Pready({partition}): there are {len(self._sent)} partitions, from 0 on", "ERR_ARG")
        if self._sent[partition]:
            raise MPIError(f"Pready({partition}): this partition was ready already", "ERR_ARG")
        self._sent[partition] = True
        if self._dest is not None and self._buffer is not None:
            if self._kernel.cluster.buffers is not None:
                self._kernel.cluster.buffers.begins(self, ((self._buffer.alone(partition), False),))
            data = self._buffer.read_block(partition)
            message = Partition(self._comm.rank, self._tag, data, partition, len(self._sent))
            self._comm.context.aside().send(message, self._dest)
        if all(self._sent):
            self.complete()


class _Arriving:
    """What has the memory of one partition, until the program is told that this has arrived.

    :ivar over: whether it was told.
    """

    persistent = False

    def __init__(self) -> None:
        self.over = False


class PartitionedReceive(Prequest):
    """The request of a receive in partitions, whose number may differ from that of the send."""

    call = "Precv_init"

    _is_done = False

    def __init__(self, comm: CommOfRank, buffer: Buffer, partitions: int, source: int, tag: int):
        super().__init__(comm.cluster.kernel)
        self._comm, self._buffer, self._partitions = comm, buffer, partitions
        self.source: int | None = source
        self.tag: int | None = _tag_of(comm, "receive", source, tag)
        self._box = comm.context.aside().own_boxes[comm.rank]
        self._parts: list[bytes | None] = []
        self._arriving: list[_Arriving] = []
        self._idle()

    def waits_for(self) -> str:
        """Return what it waits for, in words."""
        text: str = self._comm.context.message_text(self.source, (self.tag or 0) & 0xFFFFFFFF, self.call)
        return text

    def _start(self) -> None:
        self._parts = []
        self._arriving = [_Arriving() for _ in range(self._partitions)]
        self.done = self.over = False
        if self._kernel.cluster.buffers is not None:
            for partition, arriving in enumerate(self._arriving):
                self._kernel.cluster.buffers.begins(arriving, ((self._buffer.alone(partition), True),))
        while not self.done:
            message = self._box.find(self.source, self.tag)
            if message is None:
                self._box.post(self)
                return
            self._box.take(message)
            self._take(message)

    def match(self, message: SentMessage) -> None:
        """Match this receive with a message, which is one of its parts."""
        self._take(message)
        if not self.done:
            self._box.post(self)

    def _take(self, message: SentMessage) -> None:
        assert isinstance(message, Partition)
        comm = self._comm
        if not self._parts:
            self._parts = [None] * message.parts
        self._parts[message.index] = message.data
        sender, tag = comm.context.members[message.source], message.tag & 0xFFFFFFFF
        comm.cluster.recorder.emit("receive", comm.world_rank, sender, tag, len(message.data))
        if None not in self._parts:
            self.complete()

    def _places(self, partition: int) -> tuple[int, int]:
        """Which parts of the sender a partition is made of: the first, and the one behind the last."""
        parts = len(self._parts)
        return partition * parts // self._partitions, -(-(partition + 1) * parts // self._partitions)

    def _needed(self, partition: int) -> list[bytes | None]:
        first, last = self._places(partition)
        return self._parts[first:last]

    def _arrived(self, partition: int) -> bool:
        if not 0 <= partition < self._partitions:
            raise MPIError(f"Parrived({partition}): there are {self._partitions} partitions, from 0 on", "ERR_ARG")
        if self.over or self._arriving[partition].over:
            return True
        if not look(self._kernel, "Parrived", lambda: None not in (self._needed(partition) or [None])):
            return False
        self._finish(partition)
        return True

    def _gives_back(self) -> None:
        """Nothing: each partition is the program's again when it is finished."""

    def _finish(self, partition: int) -> None:
        """Write a partition that has arrived: from now on the program may change it, also before it waits."""
        arriving = self._arriving[partition]
        arriving.over = True
        if self._kernel.cluster.buffers is not None:
            self._kernel.cluster.buffers.ends(arriving, self._kernel.task.rank.index)
        parts, (first, last) = len(self._parts), self._places(partition)
        size = self._buffer.size // self._partitions
        data = b"".join(part or b"" for part in self._parts[first:last])
        skip = partition * size - first * self._buffer.size // parts
        if len(data) >= skip + size:
            self._buffer.fill(partition, data[skip : skip + size], f"partition {partition} from rank {self.source}")

    def _end(self, status: Any) -> None:
        self.over = True
        size = sum(len(part or b"") for part in self._parts)
        tag = (self.tag or 0) & 0xFFFFFFFF
        fill(status, self.source or 0, tag, size)
        if size != self._buffer.size:
            raise TruncationError(
                f"the message in partitions from rank {self.source} with tag {tag} is {size} bytes, and the "
                f"buffer that receives it {self._buffer.size}: both sides give buffers of one size"
            )
        for partition, arriving in enumerate(self._arriving):
            if not arriving.over:
                self._finish(partition)

    def _cancel(self) -> None:
        raise MPIError("Cancel of a receive of partitions: it can't be given up", "ERR_REQUEST")
