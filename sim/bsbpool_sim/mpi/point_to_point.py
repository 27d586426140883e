"""Point-to-point communication: sends, receives and probes.

Messages are sent pickled, or as bytes, so ranks share no objects; sends are buffered. Waiting messages are kept in
`mailbox`; specifications of buffers are read in `buffers`.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

from ..choices import Kind, MessageFrom
from ..errors import MPIError
from ..late_mailbox import LateMessageQueue, LateProbe
from ..looks import Look
from ..mailbox import SentMessage
from ..thread_turns import let_others_go_on, step
from .arrays import bytes_of
from .attached_buffers import Attachments
from .buffers import Buffer
from .constants import ANY_SOURCE, ANY_TAG, LARGEST_TAG, PROC_NULL, means
from .endpoint import Endpoint
from .integer_arguments import integer
from .messages import NO_PROC, Message, TakenMessage
from .options import options
from .request_lists import poll, polled
from .requests import FromNobody, Receive, Request
from .running_rank import kept_on_rank, running_task
from .status import checked, fill

#: A buffer of nothing.
_NOTHING = (None, 0, "B")

#: Under which key a rank keeps what it attached for buffered sends of all its communicators.
_ATTACHED = "attached buffer"


class PointToPoint(Endpoint):
    """The point-to-point calls of a communicator."""

    def _send(
        self, data: bytes, dest: int, tag: int, sync: Any = None, type: Any = None, buffered: bool = True
    ) -> None:
        to = self._peer(dest, "dest")
        if tag.__class__ is not int:
            tag = integer(tag, "tag")
        if not 0 <= tag <= LARGEST_TAG:
            raise bad_tag(tag, "sent", "0")
        if not buffered and self.cluster.eager_limit is not None and self._waits_for_receiver(data, to):
            self._issend(data, dest, tag, "send", type).wait()
        elif to is not None:
            if self.cluster.has_threads:
                key = "send", self.context.number, self._rank, to
                step(self.cluster.kernel.task, key, None, "send")
            self.context.send(SentMessage(self._rank, tag, data, sync, type), to)
        elif sync is not None:
            sync.complete()

    def _waits_for_receiver(self, data: bytes, to: int | None) -> bool:
        """Whether a message has no room in buffers, so that its send is as a synchronous one."""
        limit = self.cluster.eager_limit
        return limit is not None and len(data) > limit and to is not None

    def _given(self, buf: Any, dest: int) -> Buffer:
        """What is sent; to PROC_NULL, whatever the program gives, nothing is."""
        some = (dest.__class__ is int and dest >= 0) or self._peer(dest, "dest") is not None
        return Buffer(buf if some else _NOTHING)

    def _isend(self, data: bytes, dest: int, tag: int, call: str = "isend", type: Any = None) -> Request:
        if self.cluster.eager_limit is not None and self._waits_for_receiver(data, self._peer(dest, "dest")):
            return self._issend(data, dest, tag, call, type)
        self._send(data, dest, tag, None, type)
        return Request(self.cluster.kernel)

    def _has(self, request: Request, buffer: Buffer, writes: bool = False) -> Request:
        """A request has this buffer until it ends."""
        if self.cluster.buffers is not None:
            self.cluster.buffers.begins(request, ((buffer, writes),))
        return request

    def _touches(self, buffer: Buffer) -> Buffer:
        """A call that waits sends this buffer."""
        if self.cluster.buffers is not None:
            self.cluster.buffers.touches(((buffer, False),))
        return buffer

    def _issend(self, data: bytes, dest: int, tag: int, call: str, type: Any = None) -> Request:
        request = Request(
            self.cluster.kernel,
            lambda: f"{self.context.someone(dest)} to receive its message with tag {tag} ({call})",
        )
        self._send(data, dest, tag, request, type)
        return request

    def send(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send an object; by default it is buffered, so that this never waits.

        :raises TypeError: the object can't be pickled.
        """
        self._send(self._dumps(obj, dest), dest, tag, buffered=False)

    rsend = send

    def bsend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send an object by way of the buffer that was attached.

        :raises MPIError: none was, or it is too small.
        """
        self._bsend(self._dumps(obj, dest), dest, tag)

    def ssend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send an object, and wait until its receiver takes it."""
        self._issend(self._dumps(obj, dest), dest, tag, "ssend").wait()

    def isend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send an object; the request is complete at once."""
        return self._isend(self._dumps(obj, dest), dest, tag)

    def ibsend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send an object by way of the buffer that was attached; the request is complete at once."""
        self._bsend(self._dumps(obj, dest), dest, tag)
        return Request(self.cluster.kernel)

    def issend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send an object; the request completes when its receiver takes it."""
        return self._issend(self._dumps(obj, dest), dest, tag, "issend")

    def Send(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send a buffer; by default it is copied, so that this never waits."""
        buffer = self._touches(self._given(buf, dest))
        self._send(buffer.read(), dest, tag, None, buffer.type._state, buffered=False)

    def Bsend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send a buffer by way of the one that was attached.

        :raises MPIError: none was, or it is too small.
        """
        buffer = self._touches(self._given(buf, dest))
        self._bsend(buffer.read(), dest, tag, buffer.type._state)

    def Ssend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send a buffer, and wait until its receiver takes it."""
        buffer = self._touches(self._given(buf, dest))
        self._issend(buffer.read(), dest, tag, "Ssend", buffer.type._state).wait()

    def Isend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send a buffer; the request is complete at once."""
        buffer = self._given(buf, dest)
        return self._has(self._isend(buffer.read(), dest, tag, "Isend", buffer.type._state), buffer)

    def Ibsend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send a buffer by way of the one that was attached; the request is complete at once."""
        self.Bsend(buf, dest, tag)
        return Request(self.cluster.kernel)

    def Issend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send a buffer; the request completes when its receiver takes it."""
        buffer = self._given(buf, dest)
        return self._has(self._issend(buffer.read(), dest, tag, "Issend", buffer.type._state), buffer)

    # -- sends by way of a buffer that was attached -----------------------------------------------

    def _attachments(self) -> Attachments:
        """The buffer that this communicator has."""
        kept = self.member.attached
        if kept is None:
            kept = self.member.attached = Attachments(self.cluster.kernel)
        found: Attachments = kept
        return found

    def Attach_buffer(self, buf: Any) -> None:
        """Give this communicator a buffer for what is sent with `bsend`.

        :raises MPIError: it has one.
        """
        self._attachments().attach(buf)

    def Detach_buffer(self) -> Any:
        """Take the communicator's buffer back, once all that is sent with it has arrived."""
        return self._attachments().detach()

    def Flush_buffer(self) -> None:
        """Wait until all that is sent with the communicator's buffer has arrived."""
        self._attachments().flush().wait()

    def Iflush_buffer(self) -> Request:
        """Begin to wait until all that is sent with the communicator's buffer has arrived."""
        return self._attachments().flush()

    def _bsend(self, data: bytes, dest: int, tag: int, type: Any = None) -> None:
        to = self._peer(dest, "dest")
        attached = self._attachments().buffer or attachments().buffer
        if attached is None and to is not None:
            raise MPIError(
                "bsend without a buffer: attach one first, with MPI.Attach_buffer(bytearray(n))", "ERR_BUFFER"
            )
        if tag.__class__ is not int:
            tag = integer(tag, "tag")
        if not 0 <= tag <= LARGEST_TAG:
            raise bad_tag(tag, "sent", "0")
        if to is not None and attached is not None:
            attached.take(len(data))
            arrival = self.context.send(SentMessage(self._rank, tag, data, None, type), to)
            self.cluster.kernel.at(arrival, attached.leave, len(data))

    # -- receiving ---------------------------------------------------------------------------------

    def _match(self, source: int, tag: int) -> tuple[int | None, int | None, bool]:
        """A source and a tag (None: any) and whether they can match anything."""
        if tag.__class__ is not int:
            tag = integer(tag, "tag")
        wanted_tag: int | None = tag
        if not 0 <= tag <= LARGEST_TAG:
            if not means(tag, ANY_TAG):
                raise bad_tag(tag, "received", "MPI.ANY_TAG, or 0")
            wanted_tag = None
        if source is not ANY_SOURCE and source.__class__ is not int:
            source = integer(source, "source", "a rank, an integer")
        if source is ANY_SOURCE or (isinstance(source, int) and source < 0 and means(source, ANY_SOURCE)):
            return None, wanted_tag, True
        peer = self._peer(source, "source")
        return peer, wanted_tag, peer is not None

    def _post(self, source: int, tag: int, buffer: Buffer | None, call: str, room: int | None = None) -> Request:
        wanted, wanted_tag, possible = self._match(source, tag)
        if not possible:
            return FromNobody(self.cluster.kernel)
        receive = Receive(self.member, wanted, wanted_tag, buffer, call, room)
        self._take_or_post(receive)
        return receive

    def _take_or_post(self, receive: Receive) -> None:
        """Match a receive, or post it."""
        if self.cluster.late_receives:
            let_others_go_on(self.cluster.kernel.task)
        if self.cluster.has_threads:
            step(self.cluster.kernel.task, ("receive", self.mailbox), None, receive.call)
        message = self._first(receive.source, receive.tag, receive.call)
        if message is None:
            self.mailbox.post(receive)
        else:
            self.mailbox.take(message)
            receive.match(message)

    def _into(self, buf: Any, source: int) -> Buffer:
        """Where a message goes; from PROC_NULL none comes, whatever the program gives."""
        if source is not ANY_SOURCE and source.__class__ is not int:
            source = integer(source, "source", "a rank, an integer")
        if source is ANY_SOURCE or (source.__class__ is int and source >= 0) or means(source, ANY_SOURCE):
            return Buffer(buf, receives=True)
        return Buffer(_NOTHING if self._peer(source, "source") is None else buf, receives=True)

    def _first(self, source: int | None, tag: int | None, call: str) -> SentMessage | None:
        """The message that a receive or a probe takes, of those that have arrived."""
        chooser = self.cluster.kernel.chooser
        if source is not None or chooser is None:
            return self.mailbox.find(source, tag)
        found = self.mailbox.firsts(tag)
        if not found:
            return None
        return chooser.one_of(Kind.MESSAGE, self.world_rank, call, found, self._alternative)

    def _alternative(self, message: SentMessage) -> MessageFrom:
        return MessageFrom(self.context.members[message.source], message.tag)

    def _find(self, source: int, tag: int, call: str, wait: bool, take: bool, status: Any) -> SentMessage | None:
        wanted, wanted_tag, possible = self._match(source, tag)
        checked(status)
        kernel, box = self.cluster.kernel, self.mailbox
        if not possible:
            fill(status, PROC_NULL, ANY_TAG, 0)
            return None
        if self.cluster.has_threads and wait:
            step(kernel.task, ("receive", box), None, call)
        message = None
        if not wait:
            if isinstance(box, LateMessageQueue):
                message = self._look(box, wanted, wanted_tag, call, take or status is not None)
            elif (message := self._first(wanted, wanted_tag, call)) is None:
                poll(kernel)
            if message is None:
                return None
            polled(kernel)
        probe = LateProbe(kernel, wanted_tag, call) if wanted is None and isinstance(box, LateMessageQueue) else None
        if probe is not None and message is None:
            box.post(probe)
        while message is None:
            message = self._first(wanted, wanted_tag, call) if probe is None else probe.message
            if message is None:
                if probe is None:
                    box.watching.append(kernel.task)
                kernel.park(functools.partial(self.context.message_text, wanted, wanted_tag, call))
        if take:
            box.take(message)
        fill(status, message.source, message.tag, len(message.data))
        return message

    def _look(
        self, box: LateMessageQueue, source: int | None, tag: int | None, call: str, asks: bool
    ) -> SentMessage | None:
        """What a probe finds that does not wait; None: nothing, since it comes too early, or nothing is there.

        :param asks: whether it matters which message it is.
        """
        assert self.cluster.late is not None
        looks, members = self.cluster.late.looks, self.context.members

        def found() -> list[SentMessage]:
            there = box.in_sight(source, tag)
            return there if asks else there[:1]

        def takes(place: Any, message: Any) -> bool:
            return place is box and source in (None, message.source) and tag in (None, message.tag)

        known = any(each in looks.seen for each in found())
        message: SentMessage | None = looks.find(
            Look(
                self.cluster.kernel, call, Kind.MESSAGE, found, box.alternative,
                lambda each: members[each.source], (call, self.context.number, source, tag), takes,
                functools.partial(self.context.message_text, source, tag, call),
            ),
            known,
        )  # fmt: skip
        if message is not None:
            looks.seen.add(message)
        return message

    def recv(self, buf: Any = None, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> Any:
        """Wait for an object, and return it.

        :param buf: a buffer for the object as it is pickled, or its size in bytes; by default it has the object's.
        :raises TruncationError: the object is larger.
        """
        if buf is not None:
            _warn_of_buf()
        return self._post(source, tag, None, "recv", _room(buf)).wait(status)

    def irecv(self, buf: Any = None, source: int = ANY_SOURCE, tag: int = ANY_TAG) -> Request:
        """Begin to receive an object: the request's `wait` returns it.

        :param buf: a buffer for the object as it is pickled, or its size in bytes; by default 32 kB, as in mpi4py.
            If the object is larger, `wait` raises `TruncationError`.
        """
        request = self._post(source, tag, None, "irecv", _room(options().irecv_bufsz if buf is None else buf))
        if buf is None or isinstance(buf, int):
            return request
        return self._has(request, Buffer(bytes_of(buf, receives=True)), writes=True)

    def Recv(self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> None:
        """Wait for a message, and write it into a buffer.

        :raises TruncationError: the message is larger than the buffer.
        """
        buffer = self._into(buf, source)
        request = self._post(source, tag, buffer, "Recv")
        if self.cluster.buffers is not None:  # another thread may give it, too
            self.cluster.buffers.begins(request, ((buffer, True),), waits=True)
        request.wait(status)

    def Irecv(self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG) -> Request:
        """Begin to receive a message into a buffer, which it fills when the request ends."""
        buffer = self._into(buf, source)
        return self._has(self._post(source, tag, buffer, "Irecv"), buffer, writes=True)

    def probe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> bool:
        """Wait for a message, and leave it there."""
        self._find(source, tag, "probe", True, False, status)
        return True

    Probe = probe

    def iprobe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> bool:
        """Whether a message is there; if not, virtual time passes."""
        found = self._find(source, tag, "iprobe", False, False, status)
        return found is not None or not self._match(source, tag)[2]

    Iprobe = iprobe

    def mprobe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> Message:
        """Wait for a message, and take it: nobody else can receive it then. MESSAGE_NO_PROC from PROC_NULL."""
        message = self._find(source, tag, "mprobe", True, True, status)
        return Message._of(NO_PROC if message is None else TakenMessage.by_probe(self.member, message))

    Mprobe = mprobe

    def improbe(self, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> Message | None:
        """Take a message if one is there; if not, virtual time passes."""
        message = self._find(source, tag, "improbe", False, True, status)
        if message is None:
            return None if self._match(source, tag)[2] else Message._of(NO_PROC)
        return Message._of(TakenMessage.by_probe(self.member, message))

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
        sent = self._isend(self._dumps(sendobj, dest), dest, sendtag, "sendrecv")
        received = self._post(source, recvtag, None, "sendrecv", _room(recvbuf)).wait(status)
        sent.wait()
        return received

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
        self._exchange(sendbuf, dest, sendtag, recvbuf, source, recvtag, "Sendrecv").wait(status)

    def _exchange(
        self, sendbuf: Any, dest: int, sendtag: int, recvbuf: Any, source: int, recvtag: int, call: str
    ) -> Request:
        """Send a buffer, and begin to receive another; the request is done when both are."""
        buffer = self._given(sendbuf, dest)
        # Both are understood before anything is sent.
        into = self._into(recvbuf, source)
        given = ((into, True),) if call.endswith("_replace") else ((buffer, False), (into, True))
        begins = call.startswith("I")
        if self.cluster.buffers is not None and not begins:
            self.cluster.buffers.touches(given)
        sent = self._isend(buffer.read(), dest, sendtag, call, buffer.type._state)
        receive = self._post(source, recvtag, into, call)
        receive.await_also(sent)
        if self.cluster.buffers is not None and begins:
            self.cluster.buffers.begins(receive, given)
        return receive

    def Sendrecv_replace(
        self,
        buf: Any,
        dest: int,
        sendtag: int = 0,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: Any = None,
    ) -> None:
        """Send a buffer, and wait for a message into the same one."""
        self._exchange(buf, dest, sendtag, buf, source, recvtag, "Sendrecv_replace").wait(status)

    def Isendrecv(
        self,
        sendbuf: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
    ) -> Request:
        """Send a buffer, and begin to receive a message into another."""
        return self._exchange(sendbuf, dest, sendtag, recvbuf, source, recvtag, "Isendrecv")

    def Isendrecv_replace(
        self, buf: Any, dest: int, sendtag: int = 0, source: int = ANY_SOURCE, recvtag: int = ANY_TAG
    ) -> Request:
        """Send a buffer, and begin to receive a message into the same one."""
        return self._exchange(buf, dest, sendtag, buf, source, recvtag, "Isendrecv_replace")


def bad_tag(tag: int, done: str, least: str) -> Exception:
    """What is raised for a tag that MPI does not have."""
    if tag >= 1 << 31:
        return OverflowError(f"tag={tag!r} can't be {done}: it is too large for an int of C")
    return MPIError(f"tag={tag!r} can't be {done}: a tag is {least} to {LARGEST_TAG}, which is MPI.TAG_UB", "ERR_TAG")


def _room(buf: Any) -> int | None:
    """How many bytes an object may have that is received with this argument: a number, or a buffer."""
    if buf is None or isinstance(buf, int):
        return buf
    return len(bytes_of(buf, receives=True))


def _warn_of_buf() -> None:
    # As mpi4py does.
    warnings.warn("the 'buf' argument is deprecated", UserWarning, stacklevel=3)


def attachments() -> Attachments:
    """The buffer that the rank that runs has attached for all its communicators."""
    return kept_on_rank(_ATTACHED, lambda: Attachments(running_task().kernel))
