"""Messages that a matched probe took: no other call can receive them."""

from __future__ import annotations

from typing import Any, Protocol, Self

from ..errors import MPIError
from ..mailbox import SentMessage
from .buffers import Buffer
from .constants import ANY_SOURCE, ANY_TAG, PROC_NULL
from .handles import constant
from .kept_by_rank import of_rank
from .requests import FromNobody, Receive, Receiver, Request
from .running_rank import running_task
from .status import fill


class TakenMessage:
    """The state of a handle of a message.

    :param comm: who has received it; None: it is MESSAGE_NO_PROC, that of PROC_NULL.
    """

    def __init__(self, comm: Receiver | None, message: SentMessage | None):
        self.comm = comm
        self.message = message

    @classmethod
    def by_probe(cls, comm: Receiver, message: SentMessage) -> TakenMessage:
        """A message that a matched probe takes, and that has to be received then."""
        taken = cls(comm, message)
        if comm.cluster.audit is not None:
            comm.cluster.audit.probed(taken, comm.context.members[message.source], message.tag)
        return taken


class Probing(Protocol):
    """Interface of a communicator that takes messages."""

    def mprobe(self, source: int, tag: int, status: Any) -> Any:
        """Wait for a message, and take it."""

    def improbe(self, source: int, tag: int, status: Any) -> Any:
        """Take a message if one is there; else None."""


class Message:
    """A handle of a message that was taken, or a null handle.

    :param message: another handle, of the same message; None: the new one is MESSAGE_NULL.
    """

    _taken: TakenMessage | None = None
    #: the name in `MPI` that it stands for.
    _name = ""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """A new handle; programs' own classes call it with what they were called with."""
        return object.__new__(cls)

    def __init__(self, message: Message | None = None):
        if message is not None and not isinstance(message, Message):
            raise TypeError(f"Message takes an MPI.Message, not {type(message).__name__}")
        self._taken = None if message is None else message._taken

    @classmethod
    def _of(cls, taken: TakenMessage) -> Self:
        self = cls()
        self._taken = taken
        return self

    def _there(self) -> TakenMessage | None:
        """What it refers to; what was received is nothing any more, whoever received it."""
        taken = self._taken
        return None if taken is None or (taken.message is None and taken is not NO_PROC) else taken

    def __bool__(self) -> bool:
        return self._there() is not None

    def __eq__(self, other: object) -> bool:
        return self._there() is other._there() if isinstance(other, Message) else NotImplemented

    def __reduce__(self) -> Any:
        there = self._there()
        if there is not None and there is not NO_PROC:
            raise ValueError(f"cannot serialize 'mpi4py.MPI.{type(self).__name__}' instance")
        if self._name:
            return constant, (self._name,)
        name = "MESSAGE_NULL" if there is None else "MESSAGE_NO_PROC"
        return type(self), (constant(name),)

    @property
    def handle(self) -> int:
        """The number of the handle."""
        there = self._there()
        if there is None or there is NO_PROC:
            return _NULL if there is None else _NO_PROC
        numbered: list[Any] = of_rank(_NUMBERED, list)
        if not any(each is there for each in numbered):
            numbered.append(there)
        return _FIRST + next(i for i, each in enumerate(numbered) if each is there)

    @classmethod
    def fromhandle(cls, handle: int) -> Message:
        """Return a handle with this number.

        :raises MPIError: this rank has none.
        """
        numbered: list[Any] = of_rank(_NUMBERED, list)
        if handle in (_NULL, _NO_PROC):
            return cls() if handle == _NULL else cls._of(NO_PROC)
        if not 0 <= handle - _FIRST < len(numbered):
            raise MPIError(f"{handle} is the number of no MPI.Message of this rank", "ERR_ARG")
        return cls._of(numbered[handle - _FIRST])

    def toint(self) -> int:
        """Return the number of the handle."""
        return self.handle

    py2f = toint
    fromint = fromhandle
    f2py = fromhandle

    def free(self) -> None:
        """Drop the message, unless this is a predefined handle."""
        if not self._name:
            self._taken = None

    # -- taking it ---------------------------------------------------------------------------------

    @classmethod
    def Probe(cls, comm: Probing, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> Self:
        """Wait for a message, and take it."""
        return cls(_probing(comm).mprobe(source, tag, status))

    @classmethod
    def Iprobe(cls, comm: Probing, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: Any = None) -> Self | None:
        """Take a message if one is there."""
        found = _probing(comm).improbe(source, tag, status)
        return None if found is None else cls(found)

    probe = Probe
    iprobe = Iprobe

    def _take(self) -> TakenMessage:
        there = self._there()
        if there is None:
            raise MPIError("this message was received already: a matched message is received once", "ERR_REQUEST")
        taken = TakenMessage(there.comm, there.message)
        if there is not NO_PROC:
            there.message = None
        elif not self._name:
            self._taken = None
        return taken

    def recv(self, status: Any = None) -> Any:
        """Receive the object.

        :raises MPIError: it was received already.
        """
        return self._received(status, None)

    def Recv(self, buf: Any, status: Any = None) -> None:
        """Receive into a buffer.

        :raises MPIError: it was received already.
        """
        self._received(status, self._into(buf))

    def irecv(self) -> Request:
        """Receive the object with a request, which is complete already."""
        return self._request(None)

    def Irecv(self, buf: Any) -> Request:
        """Receive into a buffer with a request, which is complete already."""
        return self._request(self._into(buf))

    def _into(self, buf: Any) -> Buffer | None:
        there = self._there()
        return None if there is None or there is NO_PROC else Buffer(buf, receives=True)

    def _received(self, status: Any, buffer: Buffer | None) -> Any:
        taken = self._take()
        if taken.comm is None or taken.message is None:
            return fill(status, PROC_NULL, ANY_TAG, 0)
        return taken.comm.received(taken.message, status, buffer)

    def _request(self, buffer: Buffer | None) -> Request:
        taken = self._take()
        if taken.comm is None or taken.message is None:
            return FromNobody(running_task().kernel)
        request = Receive(taken.comm, None, None, buffer)
        request.match(taken.message)
        return request


def _probing(comm: Any) -> Probing:
    if not hasattr(comm, "mprobe"):
        raise TypeError(f"comm must be an MPI.Comm, not {comm!r}")
    found: Probing = comm
    return found


_NUMBERED = "messages with numbers"
_NULL, _NO_PROC, _FIRST = 0x2C000000, 0x6C000000, 0x6C000001

NO_PROC = TakenMessage(None, None)
MESSAGE_NULL, MESSAGE_NO_PROC = Message(), Message._of(NO_PROC)
MESSAGE_NULL._name, MESSAGE_NO_PROC._name = "MESSAGE_NULL", "MESSAGE_NO_PROC"
