"""Requests: communication that was begun and not yet waited for. Begins none itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..choices import Completed, Event, Kind
from ..cluster import Cluster
from ..errors import MPIError, TruncationError
from ..kernel import Happening, Kernel
from ..mailbox import Mailbox, Message
from .constants import ANY_SOURCE, ANY_TAG, UNDEFINED
from .pickling import loads
from .status import Status, fill

if TYPE_CHECKING:
    from .buffers import Buffer

#: Virtual nanoseconds that an unsuccessful test or probe takes, so that a loop of them gets somewhere.
POLL = 1000


def poll(kernel: Kernel) -> None:
    """Spend the time of a test or probe that found nothing."""
    if kernel.when_idle is not None:
        kernel.when_idle.poll()
        return
    kernel.park("its next test or probe", kernel.now + POLL)


class Request(Happening):
    """Something that completes: a synchronous send, a collective, or (with no `why`) an eager send, at once.

    :param why: what a task that waits for it waits for.
    """

    def __init__(self, kernel: Kernel, why: Callable[[], str] | None = None):
        self._kernel = kernel
        self._waiters: list[Any] = []
        self.done = why is None
        #: whether somebody was told that it is done: it is inactive from then on, as MPI's null request.
        self.over = False
        self.waits_for = why or str
        if kernel.cluster.audit is not None:
            kernel.cluster.audit.began(self)

    def happening(self, argument: Any) -> Event:
        """The end of what it waits for."""
        return Event(None, f"the end of {self.waits_for()}")

    def complete(self, _: object = None) -> None:
        """Mark this as done, and wake who waits for it."""
        self.done = True
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            self._kernel.wake(task)

    def _end(self, status: Any) -> Any:
        """What `wait` returns, the first time; here for a request that holds nothing."""
        self.over = True
        fill(status, ANY_SOURCE, ANY_TAG, 0)

    def __bool__(self) -> bool:
        return not self.over

    def wait(self, status: Any = None) -> Any:
        """Wait until this is done; gives the received object, or None."""
        _block(self._kernel, [self], all)
        return self._end(status)

    def test(self, status: Any = None) -> tuple[bool, Any]:
        """Whether this is done, and the received object; an unsuccessful test takes 1 µs of virtual time."""
        if self.done:
            return True, self._end(status)
        poll(self._kernel)
        return False, None

    def Wait(self, status: Any = None) -> bool:
        """Wait until this is done."""
        self.wait(status)
        return True

    def Test(self, status: Any = None) -> bool:
        """Whether this is done; an unsuccessful test takes 1 µs of virtual time."""
        return self.test(status)[0]

    def get_status(self, status: Any = None) -> bool:
        """Whether this is done, without ending it; if it is not, this takes 1 µs of virtual time."""
        if not self.done:
            poll(self._kernel)
        return self.done

    Get_status = get_status

    def cancel(self) -> None:
        """No effect: a send has left already."""

    Cancel = cancel

    def Free(self) -> None:
        """Give the request up: nobody will wait for it."""
        self.over = True

    free = Free

    # -- several at once ---------------------------------------------------------------------------

    @classmethod
    def waitall(cls, requests: Sequence[Request], statuses: Any = None) -> list[Any]:
        """Wait until all are done; gives what each received."""
        if requests:
            _block(requests[0]._kernel, requests, all)
        return [r._end(s) for r, s in zip(requests, _each(statuses, len(requests)), strict=True)]

    @classmethod
    def waitany(cls, requests: Sequence[Request], status: Any = None) -> tuple[int, Any]:
        """Wait until one is done; gives its index and what it received (UNDEFINED, None if all are over)."""
        active = [r for r in requests if not r.over]
        if not active:
            return UNDEFINED, None
        _block(active[0]._kernel, active, any)
        done = _done(requests)
        chooser = active[0]._kernel.chooser
        if chooser is not None:
            i = chooser.one_of(Kind.REQUEST, active[0]._kernel.task.rank.index, "waitany", done, Completed)
        else:
            i = done[0]
        return i, requests[i]._end(status)

    @classmethod
    def waitsome(cls, requests: Sequence[Request], statuses: Any = None) -> tuple[list[int] | None, Any]:
        """Wait until at least one is done; gives the indices of all that are, and what they received."""
        active = [r for r in requests if not r.over]
        if not active:
            return None, None
        _block(active[0]._kernel, active, any)
        return cls._some(requests, statuses)

    @classmethod
    def testall(cls, requests: Sequence[Request], statuses: Any = None) -> tuple[bool, list[Any] | None]:
        """Whether all are done, and what each received then."""
        if all(r.done for r in requests):
            return True, cls.waitall(requests, statuses)
        poll(requests[0]._kernel)
        return False, None

    @classmethod
    def testany(cls, requests: Sequence[Request], status: Any = None) -> tuple[int, bool, Any]:
        """Index of one that is done, whether there is one, and what it received."""
        active = [r for r in requests if not r.over]
        if active and not any(r.done for r in active):
            poll(active[0]._kernel)
            return UNDEFINED, False, None
        i, received = cls.waitany(requests, status)
        return i, True, received

    @classmethod
    def testsome(cls, requests: Sequence[Request], statuses: Any = None) -> tuple[list[int] | None, Any]:
        """Indices of all that are done, and what they received; None and None if all are over."""
        active = [r for r in requests if not r.over]
        if not active:
            return None, None
        if not any(r.done for r in active):
            poll(active[0]._kernel)
            return [], []
        return cls._some(requests, statuses)

    @classmethod
    def _some(cls, requests: Sequence[Request], statuses: Any) -> tuple[list[int], list[Any]]:
        indices = _done(requests)
        kernel = requests[0]._kernel
        if len(indices) > 1 and kernel.chooser is not None:
            # MPI ends one or more of those that are done: all of them, or any single one.
            one = kernel.chooser.one_of(
                Kind.REQUEST, kernel.task.rank.index, "waitsome", [None, *indices], Completed
            )  # fmt: skip
            indices = indices if one is None else [one]
        pairs = zip(indices, _each(statuses, len(indices)), strict=True)
        return indices, [requests[i]._end(s) for i, s in pairs]

    @classmethod
    def Waitall(cls, requests: Sequence[Request], statuses: Any = None) -> bool:
        """`waitall` for buffers."""
        cls.waitall(requests, statuses)
        return True

    @classmethod
    def Waitany(cls, requests: Sequence[Request], status: Any = None) -> int:
        """`waitany` for buffers."""
        return cls.waitany(requests, status)[0]

    @classmethod
    def Waitsome(cls, requests: Sequence[Request], statuses: Any = None) -> list[int] | None:
        """`waitsome` for buffers."""
        return cls.waitsome(requests, statuses)[0]

    @classmethod
    def Testall(cls, requests: Sequence[Request], statuses: Any = None) -> bool:
        """`testall` for buffers."""
        return cls.testall(requests, statuses)[0]

    @classmethod
    def Testany(cls, requests: Sequence[Request], status: Any = None) -> tuple[int, bool]:
        """`testany` for buffers."""
        return cls.testany(requests, status)[:2]

    @classmethod
    def Testsome(cls, requests: Sequence[Request], statuses: Any = None) -> list[int] | None:
        """`testsome` for buffers."""
        return cls.testsome(requests, statuses)[0]


def _done(requests: Sequence[Request]) -> list[int]:
    """The indices of the requests that are done, and of which nobody was told so."""
    return [i for i, r in enumerate(requests) if r.done and not r.over]


def _each(statuses: Any, count: int) -> Sequence[Any]:
    """So many statuses, of those that were given; a list that is too short gets further ones."""
    if statuses is None:
        return [None] * count
    if len(statuses) < count:
        if not isinstance(statuses, list):
            raise ValueError(f"{len(statuses)} statuses for {count} requests: give as many, or a list, which gets more")
        statuses += [Status() for _ in range(count - len(statuses))]
    return [*statuses[:count]]


def _block(kernel: Kernel, requests: Sequence[Request], enough: Callable[[Any], bool]) -> None:
    if enough(r.done for r in requests):
        return
    task = kernel.task
    why = requests[0].waits_for if len(requests) == 1 else functools.partial(_why, requests, enough)
    while not enough(r.done for r in requests):
        waiting = [r for r in requests if not r.done]
        for r in waiting:
            r._waiters.append(task)
        kernel.park(why)
        for r in waiting:
            if task in r._waiters:
                r._waiters.remove(task)


def _why(requests: Sequence[Request], enough: Callable[[Any], bool]) -> str:
    texts = [r.waits_for() for r in requests if not r.done]
    more = [f"{len(texts) - 5} more"] if len(texts) > 5 else []
    return (" and " if enough is all else " or ").join(texts[:5] + more)


class Receiver(Protocol):
    """What a receive needs of its communicator, as its rank has it: `bsbpool_sim.mpi.members.Member` has it."""

    cluster: Cluster
    mailbox: Mailbox

    @property
    def context(self) -> _Context:
        """The ranks that may complete it."""

    def received(self, message: Message, status: Any, buffer: Buffer | None) -> Any:
        """Take in a message that was matched. Returns the object, or None if it went into the buffer."""


class _Context(Protocol):
    def message_text(self, source: int | None, tag: int | None, call: str) -> str: ...


class Receive(Request):
    """A receive: posted, then matched with a message.

    :param source: rank of the communicator; None: any.
    :param tag: None: any.
    :param buffer: where the message's bytes go; None: the message is a pickled object.
    :param room: bytes that a pickled object may have; None: any number.
    """

    def __init__(
        self,
        comm: Receiver,
        source: int | None,
        tag: int | None,
        buffer: Buffer | None = None,
        call: str = "irecv",
        room: int | None = None,
    ):
        super().__init__(comm.cluster.kernel, self._why)
        self.comm = comm
        self.source = source
        self.tag = tag
        self.buffer = buffer
        self.call = call
        self.room = room
        self.message: Message | None = None

    def _why(self) -> str:
        return self.comm.context.message_text(self.source, self.tag, self.call)

    def match(self, message: Message) -> None:
        """`message` is this receive's."""
        self.message = message
        self.complete()

    def _end(self, status: Any) -> Any:
        message = self.message
        if message is None or self.over:
            cancelled = message is None and not self.over
            self.over = True
            return fill(status, ANY_SOURCE, ANY_TAG, 0, cancelled)
        self.over = True
        size = len(message.data)
        if self.room is not None and size > self.room:
            fill(status, message.source, message.tag, size)
            raise TruncationError(
                f"the object from rank {message.source} with tag {message.tag} is {size} bytes, and {self.call} has "
                f"room for {self.room}: give {self.call} a larger buffer, as irecv(1 << 20, source=…), or use recv"
            )
        return self.comm.received(message, status, self.buffer)

    def get_status(self, status: Any = None) -> bool:
        """Whether this is done, without ending it."""
        if self.message is not None:
            fill(status, self.message.source, self.message.tag, len(self.message.data))
        return super().get_status()

    Get_status = get_status

    def cancel(self) -> None:
        """Give the receive up, unless a message was matched with it already."""
        if not self.done:
            self.comm.mailbox.give_up(self)
            self.complete()

    Cancel = cancel


class Matched:
    """A message that a matched probe took out of the mailbox: nobody else can receive it."""

    def __init__(self, comm: Receiver, message: Message):
        self._comm = comm
        self._message: Message | None = message

    def _take(self) -> Message:
        message, self._message = self._message, None
        if message is None:
            raise MPIError("this message was received already: a matched message is received once")
        return message

    def recv(self, status: Any = None) -> Any:
        """Receive the object.

        :raises MPIError: it was received already.
        """
        return self._comm.received(self._take(), status, None)

    def Recv(self, buf: Any, status: Any = None) -> None:
        """Receive into a buffer."""
        from .buffers import Buffer

        self._comm.received(self._take(), status, Buffer(buf, receives=True))

    def irecv(self) -> Request:
        """Receive the object with a request, which is complete already."""
        request = Receive(self._comm, None, None)
        request.match(self._take())
        return request


def load(data: bytes | memoryview) -> Any:
    """The object that a message's bytes pickle."""
    return loads(data)
