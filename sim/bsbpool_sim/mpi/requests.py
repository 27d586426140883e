"""Requests: communication that was started and not yet completed. No communication is started here.

Operations on several requests are in `request_lists`; requests that can be started repeatedly in `persistent_messages`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from ..choices import ComesFirst
from ..cluster import Cluster
from ..errors import MPIError, TruncationError
from ..kernel import Happening, Kernel
from ..mailbox import MessageQueue, SentMessage
from ..thread_turns import let_others_go_on
from .constants import ANY_SOURCE, ANY_TAG, PROC_NULL
from .handles import constant
from .kept_by_rank import of_rank
from .pickling import loads
from .request_lists import ManyRequests, look, wait_for
from .status import fill

if TYPE_CHECKING:
    from .buffers import Buffer

__all__ = ["FromNobody", "Receive", "Receiver", "Request", "unpickled"]


class Request(Happening, ManyRequests):
    """A request: of a synchronous send or a collective call, or (with no `why`) of an eager send, which is complete at
    once.

    A program may make further handles of it, ``MPI.Request(request)``, and null ones.

    :param of: the kernel, for a new one; a request, for a further handle of it; None: REQUEST_NULL.
    :param why: what a task that waits for it waits for.
    :raises TypeError: it is made of something else.
    """

    #: whether it stays when it has ended, and can be started again.
    persistent = False
    #: whether a program has given it up; and whether it is a receive that was not done then.
    freed = abandoned = False
    #: whether its program was told that it is done, and it is not over: it is told so again.
    known = False
    #: its number among those that were tested, if it was.
    number_of_look: int | None = None
    #: the request that this is a further handle of.
    _other: Request | None = None
    #: whether it is the one that MPI has a name for.
    _is_name = False
    #: another one that has to be done, too, before this one is: the send of a call that sends and receives.
    also: Request | None = None
    #: the one that is done only when this one is, too.
    _before: Request | None = None
    #: whether it would be done, were it not for `also`.
    _but_for_also = False
    #: whether one that is not told what it waits for has nothing to wait for.
    _is_done = True

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """A new request; programs' own classes call it with what they were called with."""
        return object.__new__(cls)

    def __init__(self, of: Kernel | Request | None = None, why: Callable[[], str] | None = None):
        self._kernel: Any = None
        if isinstance(of, Request):
            self._other = of._own
        elif of is not None:
            if not isinstance(of, Kernel):
                raise TypeError(f"a request is made of another one, not of {of!r}")
            self._kernel = of
        self._waiters: list[Any] = []
        self.done = self._is_done and why is None
        #: whether somebody was told that it is done: it is inactive from then on, as MPI's null request.
        self.over = self._kernel is None
        # Not a method of its own, which would refer to it: it would be gone only when garbage is collected.
        self._reason = why
        if not self.over and self._kernel.cluster.audit is not None:
            self._kernel.cluster.audit.began(self)

    @property
    def _own(self) -> Request:
        """The request itself, of which this may be a further handle."""
        return self if self._other is None else self._other

    def _is_null(self) -> bool:
        own = self._own
        return own._kernel is None or own.freed or (own.over and not own.persistent)

    def __bool__(self) -> bool:
        return not self._is_null()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        return self._own is other._own or (self._is_null() and other._is_null())

    def __reduce__(self) -> Any:
        if not self._is_null():
            raise ValueError(f"cannot serialize 'mpi4py.MPI.{type(self).__name__}' instance")
        null = "REQUEST_NULL"
        return (constant, (null,)) if self._is_name else (self._public(), (constant(null),))

    @classmethod
    def _public(cls) -> Any:
        """The class itself; of those that calls of MPI make, the one of MPI's that programs know."""
        return next(
            each for each in cls.__mro__ if each.__name__ in _PUBLIC or not each.__module__.startswith("bsbpool_sim.")
        )

    @property
    def handle(self) -> int:
        """The number of the handle."""
        if self._is_null():
            return _NULL
        numbered: list[Any] = of_rank(_NUMBERED, list)
        for i, each in enumerate(numbered):
            if each is self._own:
                return _FIRST + i
        numbered.append(self._own)
        return _FIRST + len(numbered) - 1

    @classmethod
    def fromhandle(cls, handle: int) -> Request:
        """Return a handle with this number.

        :raises MPIError: this rank has none.
        """
        numbered: list[Any] = of_rank(_NUMBERED, list)
        made: type[Request] = cls._public()
        if handle == _NULL:
            return made()
        if not 0 <= handle - _FIRST < len(numbered):
            raise MPIError(f"{handle} is the number of no MPI.Request of this rank", "ERR_ARG")
        return made(numbered[handle - _FIRST])

    def toint(self) -> int:
        """Return the number of the handle."""
        return self.handle

    py2f = toint
    fromint = fromhandle
    f2py = fromhandle

    # -- its end -----------------------------------------------------------------------------------

    def waits_for(self) -> str:
        """Return what it waits for, in words."""
        return "" if self._reason is None else self._reason()

    def happening(self, argument: Any) -> ComesFirst:
        """Return the alternative that stands for the end of what the request waits for."""
        return ComesFirst(None, f"the end of {self.waits_for()}")

    def await_also(self, also: Request) -> None:
        """From now on, this request is done only when `also` is done, too; when it ends, it ends `also`."""
        self.also = also
        if not also.done:
            also._before, self._but_for_also, self.done = self, self.done, False

    def complete(self, _: object = None) -> None:
        """Mark this as done, unless it has to wait for another request, and wake the tasks that wait for it."""
        if self.also is not None and not self.also.done:
            self._but_for_also = True
            return
        self.done = True
        before, self._before = self._before, None
        if before is not None and before._but_for_also:
            before.complete()
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            self._kernel.wake(task)

    def _end(self, status: Any) -> Any:
        """What `wait` returns, the first time; here for a request that holds nothing."""
        self.over = True
        if (races := self._kernel.cluster.races) is not None:
            races.ended_request(self, self._kernel.task.rank.index)
        fill(status, ANY_SOURCE, ANY_TAG, 0)

    def _end_also(self) -> None:
        """End the one that this one had to wait for; if this one is freed, perhaps before that is done."""
        also, self.also = self.also, None
        if also is not None and also.done:
            also._conclude(None)
        elif also is not None:
            also._given_up()

    def _conclude(self, status: Any) -> Any:
        """`_end`, unless it has ended already: that is an empty status then."""
        if self.over:
            return fill(status, ANY_SOURCE, ANY_TAG, 0)
        self.known = False
        if self._kernel.cluster.buffers is not None:
            self._gives_back()
        return self._end(status)

    def _gives_back(self) -> None:
        """Its memory is the program's again."""
        cluster = self._kernel.cluster
        if cluster.buffers is not None:
            if cluster.late_ends and self._kernel.task.rank.threaded:
                let_others_go_on(self._kernel.task)
            cluster.buffers.ends(self, self._kernel.task.rank.index)

    def _peek(self, status: Any) -> None:
        """Fill a status, without ending it."""
        fill(status, ANY_SOURCE, ANY_TAG, 0)

    def wait(self, status: Any = None) -> Any:
        """Wait until this is done; return the received object, or None."""
        own = self if self._other is None else self._other
        if not own.done:
            wait_for(own)
        return own._conclude(status)

    def test(self, status: Any = None) -> tuple[bool, Any]:
        """Return whether this is done, and the received object; virtual time passes in a test that finds nothing."""
        own = self._own
        if own.over or look(own._kernel, "test", lambda: own.done, (own,)):
            return True, own._conclude(status)
        return False, None

    def Wait(self, status: Any = None) -> bool:
        """Wait until this is done."""
        Request.wait(self, status)
        return True

    def Test(self, status: Any = None) -> bool:
        """Return whether this is done. Virtual time passes in a test that finds nothing."""
        return Request.test(self, status)[0]

    def get_status(self, status: Any = None) -> bool:
        """Return whether this is done, without ending it. If it is not, virtual time passes."""
        own = self._own
        there = own.over or look(own._kernel, "get_status", lambda: own.done, (own,))
        if not there and (own._kernel.cluster.late is not None or not own.done):  # it may be done since: that took time
            return False
        own.known = not own.over
        own._peek(status)
        return True

    Get_status = get_status

    # -- giving it up ------------------------------------------------------------------------------

    def _there(self, call: str) -> Request:
        """The request itself.

        :raises MPIError: it is null.
        """
        if self._is_null():
            raise MPIError(f"{call} of a request that was freed, or has ended, or is REQUEST_NULL", "ERR_REQUEST")
        return self._own

    def cancel(self) -> None:
        """Cancel the request. A send has left already, so this has no effect on it.

        :raises MPIError: it is null.
        """
        self._there("Cancel")._cancel()

    def Cancel(self) -> None:
        """`cancel` for buffers."""
        self.cancel()

    def Free(self) -> None:
        """Free the request; this handle is null then, and its communication continues.

        :raises MPIError: it is null.
        """
        own = self._there("Free")
        own.freed = True
        own._given_up()

    def free(self) -> None:
        """`Free`, unless it is null."""
        if not self._is_null():
            self.Free()

    def _cancel(self) -> None:
        """Give up what was begun, if that is possible."""

    def _given_up(self) -> None:
        """The program will not ask for it any more."""
        self.over = True


#: The classes of requests that programs know.
_PUBLIC = ("Request", "Prequest", "Grequest")
_NUMBERED = "requests with numbers"
_NULL, _FIRST = 0x2C000000, 0x6C000000


class FromNobody(Request):
    """The request of a receive from PROC_NULL."""

    def await_also(self, also: Request) -> None:
        """From now on, this is done when `also` is."""
        super().await_also(also)
        self._reason = also.waits_for

    def _end(self, status: Any) -> None:
        self.over = True
        self._end_also()
        fill(status, PROC_NULL, ANY_TAG, 0)

    def _peek(self, status: Any) -> None:
        fill(status, PROC_NULL, ANY_TAG, 0) if not self.over else super()._peek(status)


class Receiver(Protocol):
    """Interface of a communicator for receives, as `bsbpool_sim.mpi.members.CommMember` implements it."""

    cluster: Cluster
    mailbox: MessageQueue

    @property
    def context(self) -> _Context:
        """The ranks that may complete it."""

    def received(self, message: SentMessage, status: Any, buffer: Buffer | None) -> Any:
        """Take a matched message in. Return the object, or None if the data went into the buffer."""


class _Context(Protocol):
    members: Sequence[int]

    def message_text(self, source: int | None, tag: int | None, call: str) -> str: ...


class Receive(Request):
    """The request of a receive: it is posted, then matched with a message.

    :param source: rank of the communicator; None: any.
    :param tag: None: any.
    :param buffer: where the message's bytes go; None: the message is a pickled object.
    :param room: bytes that a pickled object may have; None: any number.
    """

    _is_done = False
    #: whether the program has asked for that.
    _cancelled = False

    def __init__(
        self,
        comm: Receiver,
        source: int | None,
        tag: int | None,
        buffer: Buffer | None = None,
        call: str = "irecv",
        room: int | None = None,
    ):
        super().__init__(comm.cluster.kernel)
        self.comm = comm
        self.source = source
        self.tag = tag
        self.buffer = buffer
        self.call = call
        self.room = room
        self.message: SentMessage | None = None
        #: the message that is in the buffer already, since the program was told that this is done.
        self.taken_in: SentMessage | None = None

    def waits_for(self) -> str:
        """Return what it waits for, in words."""
        if self.also is not None and self._but_for_also:
            return self.also.waits_for()
        return self.comm.context.message_text(self.source, self.tag, self.call)

    def match(self, message: SentMessage) -> None:
        """Match this receive with `message`."""
        self.message = message
        self.complete()
        if self.freed:
            self._end(None)

    def _end(self, status: Any) -> Any:
        message, self.message = self.message, None
        self.over = True
        if self.also is not None:
            self._end_also()
        taken_in, self.taken_in = self.taken_in, None
        if taken_in is not None:
            return fill(status, taken_in.source, taken_in.tag, len(taken_in.data))
        if message is None:
            return fill(status, ANY_SOURCE, ANY_TAG, 0, True)
        size = len(message.data)
        if self.room is not None and size > self.room:
            fill(status, message.source, message.tag, size)
            raise TruncationError(
                f"the object from rank {message.source} with tag {message.tag} is {size} bytes, and {self.call} has "
                f"room for {self.room}: give {self.call} a larger buffer, as irecv(1 << 20, source=…), or use recv"
            )
        return self.comm.received(message, status, self.buffer)

    def _peek(self, status: Any) -> None:
        message = self.taken_in or self.message
        if message is None:
            fill(status, ANY_SOURCE, ANY_TAG, 0, not self.over)
        elif self.taken_in is None and self.buffer is not None:
            # From now on the program may read its buffer, and change it before it waits.
            self._gives_back()
            self.message, self.taken_in = None, message
            self.comm.received(message, status, self.buffer)
        else:
            fill(status, message.source, message.tag, len(message.data))

    def _cancel(self) -> None:
        self._cancelled = True
        if not (self.done or self._but_for_also):
            self.comm.mailbox.give_up(self)
            self.complete()

    def _given_up(self) -> None:
        self.abandoned = not (self.over or self._cancelled or self.taken_in or self.also is not None)
        if self.message is not None and not self.over:
            self._gives_back()
            self._end(None)
        self.over = True


def unpickled(data: bytes | memoryview) -> Any:
    """Return the object in the bytes of a message."""
    return loads(data)
