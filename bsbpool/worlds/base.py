"""What a world has to give. The real worlds and the simulated one implement this, and a pool asks for no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import Context, ContextVar, copy_context
from enum import Enum
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..trace.recording import FileRecorder, Sink

#: What a pool says to a rank that has no part in its communicator.
NO_COMMUNICATOR = (
    "A pool can't use this communicator: it is COMM_NULL, which is what a rank gets that has no part in a new "
    "communicator, or what is left of one after Free(). Open the pool only on ranks that have a part in it."
)


class Role(Enum):
    """What a task of a rank does, beside its program. The value is how reports call it."""

    WORKER = "worker"  # runs jobs beside main, where there is one rank only
    SCHEDULER = "scheduler"  # queues jobs: code of the user's
    MANUAL_JOB = "job by hand"  # runs one job for who called its `run()`
    TIMEKEEPER = "timekeeper"  # interrupts jobs at their limits
    WATCH = "watch"  # gives back jobs that have waited behind a long one
    EVENT = "event"  # carries out an event of a scenario


class RankLost:
    """What arrives in place of a message when a rank is gone.

    :ivar why: how it was lost, as a person reads it: what the rank did.
    :ivar host: where it was; None if only the pool knows.
    """

    def __init__(self, why: str, host: str | None = None):
        self.why = why
        self.host = host


class MultipartMessage(NamedTuple):
    """A message that came with parts.

    :ivar message: what else was sent.
    :ivar parts: writable memory, one for each part.
    """

    message: Any
    parts: list[Any]


class Mailbox(ABC):
    """Where one task waits for what other tasks of the same rank put in."""

    @abstractmethod
    def put(self, item: Any) -> None:
        """Put an item in; may be called from any task of this rank."""

    @abstractmethod
    def get(self, until: int | None = None) -> Any:
        """The next item, in the order of arrival; waits for it.

        :param until: a time of the world's clock, in nanoseconds; 0 takes what is there already.
        :returns: None if that time came first.
        """


class Channel(Mailbox):
    """The mailbox of one pool on one rank: messages from other ranks, and what this rank's tasks put in.

    `get` returns ``(rank, message)``; the message is `bytes` from another rank, a `MultipartMessage` if it came in
    parts, or a `RankLost` if that rank is gone. Tasks of this rank put in pairs of the same form.
    """

    #: whether a script wants to hear of jobs.
    scripted = False
    #: whether any task of this rank may send, not only the one that executes the pool.
    any_task_sends = True
    #: how much later than it came, in nanoseconds, a message may be taken in: for so long nobody waits for it.
    poll_slack_ns = 0

    @abstractmethod
    def send(self, rank: int, message: bytes, parts: Sequence[Any] = (), last: bool = False) -> None:
        """Send to the same pool's channel on `rank`; never waits for the receiver.

        :param parts: memory to send along with the message; it must not change before `flush` has returned.
        :param last: this rank leaves: the message need not wait for large ones before it, which may never arrive.
        """

    @abstractmethod
    def close(self) -> None:
        """Receive no more; what is still on its way is dropped."""

    def flush(self) -> None:
        """Wait until all parts that were sent may be changed, or nobody wants them any more."""

    def introduce(self, job: int, name: str, context: Mapping[str, Any]) -> None:
        """Main tells of a job that was queued, where the channel is `scripted`."""

    def perform(self, job: int, function: Callable[[], Any]) -> Any:
        """Run the user's code of a job. In the simulated world a script may have its say."""
        return function()


class Interruptible(ABC):
    """Code of one task, run once, that another task of the same rank may interrupt."""

    #: the code of `run`: what is further out in the task's stack is not that of the function.
    code: CodeType
    #: whether it was interrupted, whatever it made of that.
    interrupted = False

    @abstractmethod
    def run(self, function: Callable[[], Any]) -> Any:
        """Call the function, in the task that made this object.

        :raises JobInterrupted: it was interrupted and let that pass.
        """

    @abstractmethod
    def interrupt(self) -> bool:
        """Raise `JobInterrupted` in the function, as soon as it runs Python code. Returns whether it still runs.

        Called once. Nothing is ever raised in what the task does before or after the function.
        """

    @abstractmethod
    def frame(self) -> FrameType | None:
        """The innermost frame of the task."""


class World(ABC):
    """The ground under one rank."""

    #: this rank, from 0; main is rank 0.
    rank: int
    #: number of ranks.
    size: int
    #: the name of this rank's host.
    host: str
    #: what this rank's code keeps per process; simulated ranks have one each.
    state: dict[str, Any]
    #: where events are recorded, if they are.
    recorder: Sink | None = None
    #: whether a person may be watching this rank's output.
    watched: bool = True

    @abstractmethod
    def members(self) -> tuple[Any, ...]:
        """By rank: what tells its process from all others, on whatever communicator; None if that is not known."""

    @abstractmethod
    def now(self) -> int:
        """The time, in nanoseconds since some start."""

    @abstractmethod
    def mailbox(self) -> Mailbox:
        """A new mailbox."""

    @abstractmethod
    def channel(self) -> Channel:
        """The channel of the next pool on this communicator; all ranks open theirs in the same order."""

    @abstractmethod
    def start(self, role: Role, function: Callable[..., Any], *args: Any, name: str | None = None) -> None:
        """Start a task of this rank that calls the function; nobody waits for it, and it must not raise.

        :param role: what it does. The process does not end before those of role `SCHEDULER` have.
        :param name: how reports call it; by default as its role.
        """

    @abstractmethod
    def task(self) -> object:
        """What tells the task that runs now from the others of this rank."""

    @abstractmethod
    def interruptible(self) -> Interruptible:
        """What runs a function in this task so that others can interrupt it."""

    @abstractmethod
    def lock(self) -> AbstractContextManager[Any]:
        """A re-entrant lock between the tasks of this rank."""

    @abstractmethod
    def folder(self) -> str:
        """The path of a new, empty folder."""

    def recording(self) -> Sink | None:
        """Where a pool is to be recorded that opens now, with this rank as main; None if nobody asked for it."""
        return self.recorder

    @abstractmethod
    def file_recorder(self, path: str, capture: bool = False) -> FileRecorder:
        """Begin a trace in a file, with a header that says what there is to say of this world.

        An existing file is never overwritten: the trace gets a name with a number.

        :param capture: keep the calls of failed jobs in a file beside it.
        :raises OSError: there can be no such file.
        """

    def memory(self) -> int:
        """The most memory, in bytes, that this rank's process has had so far; 0 if that is not known."""
        return 0

    @abstractmethod
    def window(self, buffer: Any) -> Any:
        """An MPI window over `buffer`, created by all ranks together."""


_current: ContextVar[World | None] = ContextVar("bsbpool_world", default=None)


def known_world() -> World | None:
    """The world of the rank whose code runs now, if that is known."""
    return _current.get()


def this_world(world: World) -> None:
    """From now on the code of this task is known to run in `world`."""
    _current.set(world)


def handed_in(world: World) -> Context:
    """A copy of the caller's context variables, for what the caller hands in to run later, in any task of `world`."""
    context = copy_context()
    if context.get(_current) is not world:
        context.run(_current.set, world)
    return context
