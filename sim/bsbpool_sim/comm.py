"""The communicator of simulated ranks: mpi4py's names and meaning, in virtual time.

Messages go out pickled, or as bytes, so ranks share no object; sends are buffered. Who waits for whom is
kept in `group` and `mailbox`; what is understood of a buffer, in `buffers`. The pool doesn't belong here.
"""

from __future__ import annotations

import functools
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from greenlet import getcurrent

from bsbpool.durations import exact_duration
from bsbpool.exceptions import JobPoolError
from bsbpool.frames import file_of, outward, users_frame
from bsbpool.values import shown, text_of
from bsbpool.worlds import NO_COMMUNICATOR

from .buffers import Buffer, in_place
from .choices import Kind, MessageFrom
from .cluster import Cluster
from .constants import (
    ANY_SOURCE,
    ANY_TAG,
    BSEND_OVERHEAD,
    COMM_TYPE_SHARED,
    LARGEST_TAG,
    OPS,
    PROC_NULL,
    TAG_UB,
    UNDEFINED,
    Op,
    fill,
    means,
    operation,
)
from .errors import AbortError, CannotSimulateError, MPIError, SimulationError
from .group import Collective, Group
from .kernel import Task
from .mailbox import Mailbox, Message
from .matches import LateMailbox, LateProbe
from .reductions import Reduction
from .requests import Matched, Receive, Request, load, poll

SUM = OPS["SUM"]
IDENT, CONGRUENT, SIMILAR, UNEQUAL = 0, 1, 2, 3

#: Bytes that mpi4py's `irecv` has room for, unless it is told otherwise.
IRECV_ROOM = 1 << 15

#: Under which key a rank keeps the size of the buffer that it attached for `bsend`.
BSEND_BUFFER = "bsend buffer"


class NullComm:
    """MPI.COMM_NULL, and what a communicator is after `Free`: anything done with it is an error."""

    @property
    def bsbpool_world(self) -> NoReturn:
        """There is none."""
        raise JobPoolError(NO_COMMUNICATOR)

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NullComm)

    def __hash__(self) -> int:
        return 0

    def __getattr__(self, name: str) -> NoReturn:
        if not hasattr(Comm, name):
            raise AttributeError(name)
        raise MPIError(f"{name} of a communicator that was freed, or is COMM_NULL: this rank is not in it")


COMM_NULL = NullComm()


class Comm:
    """A communicator, as one simulated rank has it.

    Lower-case methods take any object that can be pickled, upper-case ones take buffers, as in mpi4py.
    Ranks are those of this communicator. Whatever MPI forbids raises `MPIError` (``MPI.Exception``).

    :ivar cluster: the simulated ranks, their kernel, network and recorder.
    :ivar rank: this rank's number here; `world_rank`: its number in the simulation.
    :ivar size: number of ranks.
    """

    def __init__(self, group: Group, rank: int):
        self.group = group
        self.cluster: Cluster = group.cluster
        self.rank = rank
        self.size = len(group.members)
        self.world_rank = group.members[rank]
        self.mailbox: Mailbox = group.boxes[rank]
        self._name = group.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Comm) and other.group is self.group and other.rank == self.rank

    def __hash__(self) -> int:
        return hash((self.group.context, self.rank))

    def __repr__(self) -> str:
        return f"<simulated {self.name or 'communicator'}, rank {self.rank} of {self.size}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a communicator can't be sent or pickled")

    @functools.cached_property
    def bsbpool_world(self) -> Any:
        """The world in which a job pool on this communicator lives."""
        make = self.cluster.make_world
        assert make is not None, "no programs run on these ranks"
        return make(self)

    # -- who we are --------------------------------------------------------------------------------

    def Get_rank(self) -> int:
        """This rank's number in the communicator."""
        return self.rank

    def Get_size(self) -> int:
        """Number of ranks in the communicator."""
        return self.size

    @property
    def name(self) -> str:
        """The communicator's name, as this rank has named it."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name
        self.group.name = name  # which reports give

    def Get_name(self) -> str:
        """The communicator's name; "" if this rank has given it none."""
        return self._name

    def Set_name(self, name: str) -> None:
        """Name the communicator, as this rank calls it."""
        self.name = name

    def Is_inter(self) -> bool:
        """False: there are no inter-communicators here."""
        return False

    def Is_intra(self) -> bool:
        """True."""
        return True

    # -- sending -----------------------------------------------------------------------------------

    def _dumps(self, obj: Any) -> bytes:
        try:
            return pickle.dumps(obj, 5)
        except Exception as error:
            raise TypeError(f"rank {self.rank} can't send this {type(obj).__name__}: {text_of(error)}") from error

    def _peer(self, rank: Any, what: str) -> int | None:
        """A rank as an index; None for PROC_NULL."""
        if not isinstance(rank, int) and not hasattr(rank, "__index__"):
            raise TypeError(f"{what} must be a rank, an integer, not {rank!r}")
        if 0 <= rank < self.size:
            return int(rank)
        if rank < 0 and means(rank, PROC_NULL):
            return None
        raise MPIError(f"{what}={rank!r} is no rank: this communicator has the ranks 0 to {self.size - 1}")

    def _send(self, data: bytes, dest: int, tag: int, sync: Request | None = None) -> None:
        to = self._peer(dest, "dest")
        if not 0 <= tag <= LARGEST_TAG:
            raise _bad_tag(tag, "sent", "0")
        if to is not None:
            self.group.send(Message(self.rank, tag, data, sync), to)
        elif sync is not None:
            sync.complete()

    def _isend(self, data: bytes, dest: int, tag: int) -> Request:
        self._send(data, dest, tag)
        return Request(self.cluster.kernel)

    def _issend(self, data: bytes, dest: int, tag: int, call: str) -> Request:
        request = Request(
            self.cluster.kernel,
            lambda: f"{self.group.someone(dest)} to receive its message with tag {tag} ({call})",
        )
        self._send(data, dest, tag, request)
        return request

    def send(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send an object; it is buffered, so this never waits.

        :raises TypeError: the object can't be pickled.
        """
        self._send(self._dumps(obj), dest, tag)

    rsend = send

    def _buffered(self, data: bytes) -> bytes:
        """See that a message has room in the buffer that this rank has attached."""
        size = self.cluster.kernel.ranks[self.world_rank].kept.get(BSEND_BUFFER)
        needed = len(data) + BSEND_OVERHEAD
        if size is None:
            raise MPIError("bsend without a buffer: attach one first, with MPI.Attach_buffer(bytearray(n))")
        if needed > size:
            raise MPIError(
                f"bsend of {len(data)} bytes takes {needed} of the buffer, with MPI.BSEND_OVERHEAD, and the one that "
                f"was attached has {size}: attach a larger one"
            )
        return data

    def bsend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send an object by way of the buffer that was attached.

        :raises MPIError: none was, or it is too small.
        """
        self._send(self._buffered(self._dumps(obj)), dest, tag)

    def ssend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send an object, and wait until its receiver takes it."""
        self._issend(self._dumps(obj), dest, tag, "ssend").wait()

    def isend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send an object; the request is complete at once."""
        return self._isend(self._dumps(obj), dest, tag)

    def ibsend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send an object by way of the buffer that was attached; the request is complete at once."""
        return self._isend(self._buffered(self._dumps(obj)), dest, tag)

    def issend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send an object; the request completes when its receiver takes it."""
        return self._issend(self._dumps(obj), dest, tag, "issend")

    def Send(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send a buffer; it is copied, so this never waits."""
        self._send(bytes(Buffer(buf).bytes), dest, tag)

    Rsend = Send

    def Bsend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send a buffer by way of the one that was attached.

        :raises MPIError: none was, or it is too small.
        """
        self._send(self._buffered(bytes(Buffer(buf).bytes)), dest, tag)

    def Ssend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send a buffer, and wait until its receiver takes it."""
        self._issend(bytes(Buffer(buf).bytes), dest, tag, "Ssend").wait()

    def Isend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send a buffer; the request is complete at once."""
        return self._isend(bytes(Buffer(buf).bytes), dest, tag)

    def Issend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send a buffer; the request completes when its receiver takes it."""
        return self._issend(bytes(Buffer(buf).bytes), dest, tag, "Issend")

    # -- receiving ---------------------------------------------------------------------------------

    def _match(self, source: int, tag: int) -> tuple[int | None, int | None, bool]:
        """A source and a tag (None: any) and whether they can match anything."""
        wanted_tag: int | None = tag
        if not 0 <= tag <= LARGEST_TAG:
            if not means(tag, ANY_TAG):
                raise _bad_tag(tag, "received", "MPI.ANY_TAG, or 0")
            wanted_tag = None
        if source is ANY_SOURCE or (isinstance(source, int) and source < 0 and means(source, ANY_SOURCE)):
            return None, wanted_tag, True
        peer = self._peer(source, "source")
        return peer, wanted_tag, peer is not None

    def _post(self, source: int, tag: int, buffer: Buffer | None, call: str, room: int | None = None) -> Request:
        wanted, wanted_tag, possible = self._match(source, tag)
        if not possible:
            return _FromNobody(self.cluster.kernel)
        receive = Receive(self, wanted, wanted_tag, buffer, call, room)
        message = self._first(wanted, wanted_tag, call)
        if message is None:
            self.mailbox.post(receive)
        else:
            self.mailbox.take(message)
            receive.match(message)
        return receive

    def _first(self, source: int | None, tag: int | None, call: str) -> Message | None:
        """The message that a receive or a probe takes, of those that have arrived."""
        chooser = self.cluster.kernel.chooser
        if source is not None or chooser is None:
            return self.mailbox.find(source, tag)
        found = self.mailbox.firsts(tag)
        if not found:
            return None
        return chooser.one_of(Kind.MESSAGE, self.world_rank, call, found, self._alternative)

    def _alternative(self, message: Message) -> MessageFrom:
        return MessageFrom(self.group.members[message.source], message.tag)

    def received(self, message: Message, status: Any, buffer: Buffer | None) -> Any:
        """Hand a matched message over to the program."""
        members, data = self.group.members, message.data
        self.cluster.recorder.emit("receive", self.world_rank, members[message.source], message.tag, len(data))
        fill(status, message.source, message.tag, len(data))
        if buffer is None:
            return load(data)
        buffer.put(data, f"the message from rank {message.source} with tag {message.tag}")
        return None

    def _find(self, source: int, tag: int, call: str, wait: bool, take: bool, status: Any) -> Message | None:
        wanted, wanted_tag, possible = self._match(source, tag)
        kernel, box = self.cluster.kernel, self.mailbox
        if not possible:
            fill(status, PROC_NULL, ANY_TAG, 0)
            return None
        late = LateProbe(kernel, wanted_tag, call) if wanted is None and isinstance(box, LateMailbox) else None
        if late is not None:
            box.post(late)
        while (message := self._first(wanted, wanted_tag, call) if late is None else late.message) is None:
            if not wait:
                poll(kernel)
                if late is None:
                    return None
                if late.message is None:
                    box.give_up(late)
                    return None
                continue
            if late is None:
                box.watching.append(kernel.task)
            kernel.park(functools.partial(self.group.message_text, wanted, wanted_tag, call))
        if take:
            box.take(message)
        fill(status, message.source, message.tag, len(message.data))
        return message

    def recv(self, buf: Any = None, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> Any:
        """Wait for an object, and return it.

        :param buf: a buffer for the object as it is pickled, or its size in bytes; by default it has the object's.
        :raises TruncationError: the object is larger.
        """
        return self._post(source, tag, None, "recv", _room(buf)).wait(status)

    def irecv(self, buf: Any = None, source: int = ANY_SOURCE, tag: int = ANY_TAG) -> Request:
        """Begin to receive an object: the request's `wait` returns it.

        :param buf: a buffer for the object as it is pickled, or its size in bytes; by default 32 kB, as in mpi4py.
            If the object is larger, `wait` raises `TruncationError`.
        """
        return self._post(source, tag, None, "irecv", _room(IRECV_ROOM if buf is None else buf))

    def Recv(self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> None:
        """Wait for a message, and write it into a buffer.

        :raises TruncationError: the message is larger than the buffer.
        """
        self._post(source, tag, Buffer(buf), "Recv").wait(status)

    def Irecv(self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG) -> Request:
        """Begin to receive a message into a buffer, which it fills when the request ends."""
        return self._post(source, tag, Buffer(buf), "Irecv")

    def probe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> bool:
        """Wait for a message, and leave it there."""
        self._find(source, tag, "probe", True, False, status)
        return True

    Probe = probe

    def iprobe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> bool:
        """Whether a message is there; if not, this takes 1 µs of virtual time."""
        found = self._find(source, tag, "iprobe", False, False, status)
        return found is not None or not self._match(source, tag)[2]

    Iprobe = iprobe

    def mprobe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> Matched | None:
        """Wait for a message, and take it: nobody else can receive it then. None from PROC_NULL."""
        message = self._find(source, tag, "mprobe", True, True, status)
        return None if message is None else Matched(self, message)

    Mprobe = mprobe

    def improbe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> Matched | None:
        """Take a message if one is there; if not, this takes 1 µs of virtual time."""
        message = self._find(source, tag, "improbe", False, True, status)
        return None if message is None else Matched(self, message)

    Improbe = improbe

    def sendrecv(
        self,
        sendobj: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: Any = None,
    ) -> Any:
        """Send an object, and wait for one."""
        self.send(sendobj, dest, sendtag)
        return self._post(source, recvtag, None, "sendrecv", _room(recvbuf)).wait(status)

    def Sendrecv(
        self,
        sendbuf: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: Any = None,
    ) -> None:
        """Send a buffer, and wait for a message into another."""
        self.Send(sendbuf, dest, sendtag)
        self._post(source, recvtag, Buffer(recvbuf), "Sendrecv").wait(status)

    # -- collectives -------------------------------------------------------------------------------

    def _together(
        self,
        name: str,
        payload: Any = None,
        size: int = 0,
        *,
        root: int | None = None,
        waits: str = "all",
        detail: str = "",
    ) -> Collective:
        call = self.group.enter(self.rank, name, root, payload, size, waits, detail)
        call.wait(self.rank)
        self.group.leave(call)
        return call

    def _root(self, root: int, name: str) -> bool:
        if not isinstance(root, int) or not 0 <= root < self.size:
            raise MPIError(f"{name}(root={root!r}): the root must be one of the ranks 0 to {self.size - 1}")
        return root == self.rank

    def _in_order(self, call: Collective) -> list[Any]:
        return [call.payloads[r] for r in range(self.size)]

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self._together("barrier")

    def Barrier(self) -> None:
        """Wait until every rank is here."""
        self._together("Barrier")

    def Ibarrier(self) -> Request:
        """Say that this rank is here; the request completes when every rank is."""
        call = self.group.enter(self.rank, "Ibarrier", None, None, 0, "all", "")
        request = call.request(self.rank)
        self.group.leave(call)
        return request

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """The root's object, on every rank."""
        data = self._dumps(obj) if self._root(root, "bcast") else b""
        call = self._together("bcast", data, len(data), root=root, waits="root")
        return obj if self.rank == root else load(call.payloads[root])

    def scatter(self, sendobj: Sequence[Any] | None, root: int = 0) -> Any:
        """The root's n-th item, on rank n.

        :raises ValueError: the root has not one item for each rank.
        """
        parts = self._parts(sendobj, "scatter") if self._root(root, "scatter") else []
        call = self._together("scatter", parts, sum(map(len, parts)), root=root, waits="root")
        return load(call.payloads[root][self.rank])

    def _parts(self, objects: Any, name: str) -> list[bytes]:
        items = list(objects) if hasattr(objects, "__iter__") else None
        if items is None or len(items) != self.size:
            got = f"{type(objects).__name__} {shown(objects)}" if items is None else f"{len(items)}"
            raise ValueError(f"{name} needs {self.size} items, one for each rank, not {got}")
        return [self._dumps(item) for item in items]

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        """Every rank's object in a list, on the root; None elsewhere."""
        is_root, data = self._root(root, "gather"), self._dumps(sendobj)
        call = self._together("gather", data, len(data), root=root, waits="gather")
        return [load(d) for d in self._in_order(call)] if is_root else None

    def allgather(self, sendobj: Any) -> list[Any]:
        """Every rank's object in a list, on every rank."""
        data = self._dumps(sendobj)
        call = self._together("allgather", data, len(data))
        return [load(d) for d in self._in_order(call)]

    def alltoall(self, sendobj: Sequence[Any]) -> list[Any]:
        """What each rank had as the item with this rank's number.

        :raises ValueError: there is not one item for each rank.
        """
        parts = self._parts(sendobj, "alltoall")
        call = self._together("alltoall", parts, sum(map(len, parts)))
        return [load(parts[self.rank]) for parts in self._in_order(call)]

    def reduce(self, sendobj: Any, op: Any = SUM, root: int = 0) -> Any:
        """Every rank's object, reduced with `op`, on the root; None elsewhere."""
        is_root, op, data = self._root(root, "reduce"), operation(op), self._dumps(sendobj)
        call = self._together("reduce", data, len(data), root=root, waits="gather", detail=_with(op))
        return _fold(op, [load(d) for d in self._in_order(call)]) if is_root else None

    def allreduce(self, sendobj: Any, op: Any = SUM) -> Any:
        """Every rank's object, reduced with `op`, on every rank."""
        op, data = operation(op), self._dumps(sendobj)
        call = self._together("allreduce", data, len(data), detail=_with(op))
        if call.result is None:
            call.result = self._dumps(_fold(op, [load(d) for d in self._in_order(call)]))
        return load(call.result)

    def scan(self, sendobj: Any, op: Any = SUM) -> Any:
        """The objects of the ranks up to this one, reduced with `op`."""
        return load(self._scan("scan", sendobj, op)[self.rank])

    def exscan(self, sendobj: Any, op: Any = SUM) -> Any:
        """The objects of the ranks below this one, reduced with `op`; None on rank 0."""
        parts = self._scan("exscan", sendobj, op)
        return load(parts[self.rank - 1]) if self.rank else None

    def _scan(self, name: str, sendobj: Any, op: Any) -> list[bytes]:
        op, data = operation(op), self._dumps(sendobj)
        call = self._together(name, data, len(data), waits="lower", detail=_with(op))
        parts: list[bytes] = call.result if call.result is not None else [call.payloads[0]]
        call.result = parts
        while len(parts) <= self.rank:
            parts.append(self._dumps(op(load(parts[-1]), load(call.payloads[len(parts)]))))
        return parts

    # -- collectives of buffers --------------------------------------------------------------------

    def Bcast(self, buf: Any, root: int = 0) -> None:
        """The root's buffer, written into every rank's."""
        buffer = Buffer(buf)
        data = bytes(buffer.bytes) if self._root(root, "Bcast") else b""
        call = self._together("Bcast", data, len(data), root=root, waits="root")
        if self.rank != root:
            buffer.put(call.payloads[root], f"what rank {root} broadcasts")

    def Scatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """The n-th block of the root's buffer, written into rank n's."""
        self._scatter("Scatter", sendbuf, recvbuf, root)

    def Scatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """`Scatter` with blocks of different sizes: ``[array, counts, offsets, TYPE]`` on the root."""
        self._scatter("Scatterv", sendbuf, recvbuf, root)

    def _scatter(self, name: str, sendbuf: Any, recvbuf: Any, root: int) -> None:
        parts = self._blocks(sendbuf, name == "Scatterv") if self._root(root, name) else []
        call = self._together(name, parts, sum(map(len, parts)), root=root, waits="root")
        if not in_place(recvbuf):
            Buffer(recvbuf).put(call.payloads[root][self.rank], f"what rank {root} scatters")

    def _blocks(self, buf: Any, vector: bool = False) -> list[bytes]:
        buffer = Buffer(buf, self.size, vector)
        return [bytes(buffer.bytes[buffer.block(r)]) for r in range(self.size)]

    def Gather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Every rank's buffer, written into the blocks of the root's."""
        self._gather("Gather", sendbuf, recvbuf, root)

    def Gatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """`Gather` with blocks of different sizes: ``[array, counts, offsets, TYPE]`` on the root."""
        self._gather("Gatherv", sendbuf, recvbuf, root)

    def Allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Every rank's buffer, written into the blocks of every rank's."""
        self._gather("Allgather", sendbuf, recvbuf, None)

    def Allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """`Allgather` with blocks of different sizes: ``[array, counts, offsets, TYPE]``."""
        self._gather("Allgatherv", sendbuf, recvbuf, None)

    def _gather(self, name: str, sendbuf: Any, recvbuf: Any, root: int | None) -> None:
        receives = root is None or self._root(root, name)
        target = Buffer(recvbuf, self.size, name.endswith("v")) if receives else None
        if in_place(sendbuf):
            if target is None:
                raise MPIError(f"{name}: only the root may give IN_PLACE")
            data = bytes(target.bytes[target.block(self.rank)])
        else:
            data = bytes(Buffer(sendbuf).bytes)
        call = self._together(name, data, len(data), root=root, waits="all" if root is None else "gather")
        if target is not None:
            for r, part in enumerate(self._in_order(call)):
                target.fill(r, part, f"what rank {r} gives to {name}")

    def Alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Block n of every rank's `sendbuf` goes to rank n, into the block of the rank it came from."""
        target = Buffer(recvbuf, self.size)
        parts = self._blocks(recvbuf if in_place(sendbuf) else sendbuf)
        call = self._together("Alltoall", parts, sum(map(len, parts)))
        for r, theirs in enumerate(self._in_order(call)):
            target.fill(r, theirs[self.rank], f"what rank {r} gives to Alltoall")

    def Reduce(self, sendbuf: Any, recvbuf: Any, op: Any = SUM, root: int = 0) -> None:
        """Every rank's buffer, reduced item by item with `op`, written into the root's `recvbuf`."""
        op, is_root = operation(op), self._root(root, "Reduce")
        if in_place(sendbuf) and not is_root:
            raise MPIError("Reduce: only the root may give IN_PLACE")
        mine = Reduction("Reduce", op, sendbuf, recvbuf, is_root)
        call = self._together("Reduce", mine.part, mine.size, root=root, waits="gather", detail=_with(op))
        if is_root:
            mine.put(mine.of(self._in_order(call)))

    def Allreduce(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """Every rank's buffer, reduced item by item with `op`, written into every rank's `recvbuf`."""
        op = operation(op)
        mine = Reduction("Allreduce", op, sendbuf, recvbuf)
        call = self._together("Allreduce", mine.part, mine.size, detail=_with(op))
        if call.result is None:
            call.result = mine.of(self._in_order(call))
        mine.put(call.result)

    def Scan(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """The buffers of the ranks up to this one, reduced item by item with `op`, written into `recvbuf`."""
        self._scan_buffers("Scan", sendbuf, recvbuf, op, self.rank + 1)

    def Exscan(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """The buffers of the ranks below this one, reduced with `op`; rank 0's `recvbuf` stays as it is."""
        self._scan_buffers("Exscan", sendbuf, recvbuf, op, self.rank)

    def _scan_buffers(self, name: str, sendbuf: Any, recvbuf: Any, op: Any, count: int) -> None:
        op = operation(op)
        mine = Reduction(name, op, sendbuf, recvbuf)
        call = self._together(name, mine.part, mine.size, waits="lower", detail=_with(op))
        if count:
            mine.put(mine.of([call.payloads[r] for r in range(count)]))

    # -- communicators -----------------------------------------------------------------------------

    def Dup(self, info: Any = None) -> Comm:
        """A communicator of the same ranks, whose messages never mix with this one's. All ranks call it."""
        call = self._together("Dup")
        if call.result is None:
            call.result = Group(self.cluster, self.group.members)
        return Comm(call.result, self.rank)

    Clone = Dup

    def Split(self, color: int = 0, key: int = 0) -> Comm | NullComm:
        """A communicator of the ranks with the same color, ordered by key, then rank. All ranks call it.

        :returns: COMM_NULL if the color is UNDEFINED.
        """
        absent = means(color, UNDEFINED)
        if color < 0 and not absent:
            raise MPIError(f"color={color!r}: a color is 0 or more, or MPI.UNDEFINED")
        call = self._together("Split", None if absent else (color, key))
        if call.result is None:
            members: dict[int, list[tuple[int, int]]] = {}
            for r, wish in enumerate(self._in_order(call)):
                if wish is not None:
                    members.setdefault(wish[0], []).append((wish[1], r))
            call.result = {}
            for _, wishes in sorted(members.items()):
                order = [r for _, r in sorted(wishes)]
                group = Group(self.cluster, [self.group.members[r] for r in order])
                call.result.update({r: (group, i) for i, r in enumerate(order)})
        return COMM_NULL if absent else Comm(*call.result[self.rank])

    def Split_type(self, split_type: int, key: int = 0, info: Any = None) -> Comm | NullComm:
        """The ranks that share this rank's memory: it alone, for each simulated rank is a host of its own.

        :returns: COMM_NULL if the type is UNDEFINED.
        :raises CannotSimulateError: it is another one than COMM_TYPE_SHARED.
        """
        if means(split_type, UNDEFINED):
            return self.Split(UNDEFINED, key)
        if not means(split_type, COMM_TYPE_SHARED):
            raise CannotSimulateError(
                f"Split_type({split_type!r}) can't be simulated: give MPI.COMM_TYPE_SHARED, or MPI.UNDEFINED"
            )
        return self.Split(self.rank, key)

    def Get_attr(self, keyval: int) -> int | None:
        """The largest tag, for the key TAG_UB.

        :raises CannotSimulateError: it is another key.
        """
        if not means(keyval, TAG_UB):
            raise CannotSimulateError(f"Get_attr({keyval!r}) can't be simulated: of all attributes there is MPI.TAG_UB")
        return LARGEST_TAG

    def Free(self) -> None:
        """Give the communicator up; whatever is done with it afterwards is an error. All ranks call it."""
        self._together("Free")
        object.__setattr__(self, "__class__", NullComm)

    Disconnect = Free

    def Compare(self, other: Comm) -> int:
        """IDENT for the same communicator, CONGRUENT for the same ranks, SIMILAR if in another order."""
        mine, theirs = list(self.group.members), list(other.group.members)
        if self.group is other.group:
            return IDENT
        return CONGRUENT if mine == theirs else SIMILAR if sorted(mine) == sorted(theirs) else UNEQUAL

    def Abort(self, errorcode: int = 0) -> NoReturn:
        """End the simulation: `simulate` raises `AbortError`."""
        kernel = self.cluster.kernel
        frame = users_frame(outward(sys._getframe(1)))
        assert frame is not None
        where = f"at {file_of(frame)}:{frame.f_lineno} in {frame.f_code.co_name}"
        text = f"rank {self.world_rank} called Abort({errorcode}) at {exact_duration(kernel.now)}, {where}"
        kernel.fail(AbortError(text, errorcode))
        raise AssertionError("unreachable: a task that failed the simulation is not resumed")  # pragma: no cover


def _bad_tag(tag: int, done: str, least: str) -> Exception:
    """What is raised for a tag that MPI does not have."""
    if tag >= 1 << 31:
        return OverflowError(f"tag={tag!r} can't be {done}: it is too large for an int of C")
    return MPIError(f"tag={tag!r} can't be {done}: a tag is {least} to {LARGEST_TAG}, which is MPI.TAG_UB")


def _room(buf: Any) -> int | None:
    """How many bytes an object may have that is received with this argument: a number, or a buffer."""
    if buf is None or isinstance(buf, int):
        return buf
    return len(Buffer(buf))


class _FromNobody(Request):
    """A receive from PROC_NULL."""

    def _end(self, status: Any) -> None:
        self.over = True
        fill(status, PROC_NULL, ANY_TAG, 0)


def _with(op: Op) -> str:
    return f"op={op.name}"


def _fold(op: Callable[[Any, Any], Any], values: list[Any]) -> Any:
    """Reduce along the binomial tree that mpi4py uses, so that floats round as they do there."""
    step = 1
    while step < len(values):
        for i in range(0, len(values) - step, 2 * step):
            values[i] = op(values[i], values[i + step])
        step *= 2
    return values[0]


def world_comms(cluster: Cluster) -> list[Comm]:
    """MPI.COMM_WORLD, as each rank has it. It is the first communicator of a cluster."""
    if not cluster.comms:
        ranks = range(len(cluster.kernel.ranks))
        world = Group(cluster, ranks, "MPI_COMM_WORLD")
        cluster.comms = [Comm(world, rank) for rank in ranks]
    return cluster.comms


def self_comm(cluster: Cluster, rank: int) -> Comm:
    """MPI.COMM_SELF of a rank."""
    if rank not in cluster.selves:
        cluster.selves[rank] = Comm(Group(cluster, [rank], "MPI_COMM_SELF"), 0)
    found: Comm = cluster.selves[rank]
    return found


def current() -> Comm:
    """The world's communicator of the simulated rank that runs now.

    :raises SimulationError: none does.
    """
    task = getcurrent()
    if not isinstance(task, Task) or task.kernel.cluster is None:
        raise SimulationError("the MPI of simulated ranks was used outside of a program under simulate()")
    return world_comms(task.kernel.cluster)[task.rank.index]
