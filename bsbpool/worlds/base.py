"""Interface of a world: the real worlds and the simulated one implement it, and a pool uses nothing else."""

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
    from .node_lock import NodeLock

#: The error message of a pool on a rank that is not in its communicator.
NO_COMMUNICATOR = (
    "A pool can't use this communicator: it is COMM_NULL, which is what a rank gets that has no part in a new "
    "communicator, or what is left of one after Free(). Open the pool only on ranks that have a part in it."
)


class Role(Enum):
    """The kinds of tasks of a rank, beside its program. The value is their name in reports."""

    WORKER = "worker"  # runs jobs beside main, where there is one rank only
    SCHEDULER = "scheduler"  # queues jobs: the user's code
    MANUAL_JOB = "job by hand"  # runs one job whose `run()` was called
    TIMEKEEPER = "timekeeper"  # interrupts jobs at their limits
    WATCH = "watch"  # returns jobs that wait behind a long one
    EVENT = "event"  # executes an event of a scenario


class RankLost:
    """Arrives in place of a message when a rank is lost.

    :ivar died: when it died, in nanoseconds of virtual time; None if nobody knows.
    :ivar host: where it was; None if only the pool knows.
    """

    def __init__(self, died: int | None = None, host: str | None = None):
        self.died = died
        self.host = host


class MultipartMessage(NamedTuple):
    """A message that was sent in parts.

    :ivar message: the message without the parts.
    :ivar parts: writable memory, one for each part.
    """

    message: Any
    parts: list[Any]


class Mailbox(ABC):
    """A queue in which one task waits for items from other tasks of the same rank."""

    @abstractmethod
    def put(self, item: Any) -> None:
        """Add an item; any task of this rank may call it."""

    @abstractmethod
    def get(self, until: int | None = None) -> Any:
        """Wait for the next item, in the order of arrival.

        :param until: the time to wait until, in nanoseconds of the world's clock; 0: do not wait.
        :returns: the item; None if the time came first.
        """


class Channel(Mailbox):
    """The mailbox of one pool on one rank: messages from other ranks, and items of this rank's tasks.

    `get` returns ``(rank, message)``; the message is `bytes` from another rank, a `MultipartMessage` if it came in
    parts, or a `RankLost` if that rank is lost. Tasks of this rank put in pairs of the same form.
    """

    #: whether a script controls the jobs.
    scripted = False
    #: whether `perform` does nothing but call the function.
    calls_only = False
    #: whether all tasks of this rank may send, not only the one that executes the pool.
    any_task_sends = True
    #: receive latency that the pool tolerates now, in nanoseconds.
    poll_slack_ns = 0

    @abstractmethod
    def send(self, rank: int, message: Any, parts: Sequence[Any] = (), last: bool = False) -> None:
        """Send to the channel of the same pool on another rank; does not wait for the receiver.

        :param message: bytes; where `World.sends_bytes` is false, whatever the pool's codec makes of it.
        :param parts: memory to send with the message; it must not change before `flush` has returned.
        :param last: whether this rank leaves: the message does not wait for large messages before it, which may never
            be received.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop receiving; messages that have not arrived are dropped."""

    def flush(self) -> None:
        """Wait until all parts that were sent may be changed, or nobody will receive them."""

    def introduce(self, job: int, name: str, context: Mapping[str, Any]) -> None:
        """Main announces a job that was queued, if the channel is `scripted`."""

    def perform(self, job: int, function: Callable[[], Any]) -> Any:
        """Run the user's code of a job. In the simulated world a script may replace it."""
        return function()


class Interruptible(ABC):
    """Runs a function once, in one task; another task of the same rank may interrupt it."""

    #: the code of `run`: frames outside of it do not belong to the function.
    code: CodeType
    #: whether it was interrupted, even if it swallowed the exception.
    interrupted = False

    @abstractmethod
    def run(self, function: Callable[[], Any]) -> Any:
        """Call the function, in the task that made this object.

        :raises JobInterrupted: it was interrupted, and did not swallow the exception.
        """

    @abstractmethod
    def interrupt(self) -> bool:
        """Raise `JobInterrupted` in the function, as soon as it runs Python code. Returns whether it still runs.

        It is called at most once. Nothing is raised in the task's code before or after the function.
        """

    @abstractmethod
    def frame(self) -> FrameType | None:
        """The innermost frame of the task."""


class World(ABC):
    """The clock, tasks and communication of one rank."""

    #: this rank, from 0; main is rank 0.
    rank: int
    #: number of ranks.
    size: int
    #: the name of this rank's host.
    host: str
    #: state of this rank's process; each simulated rank has its own.
    state: dict[str, Any]
    #: the recorder of events; None if there is none.
    recorder: Sink | None = None
    #: whether a person may see this rank's output.
    watched: bool = True
    #: whether what is sent to another rank has to be bytes. Where all ranks are in one process, a message may be the
    #: tuple itself, as long as nobody changes what is in it.
    sends_bytes: bool = True

    @abstractmethod
    def members(self) -> tuple[Any, ...]:
        """Return by rank an identity of its process, the same on every communicator; None if that is not known."""

    @abstractmethod
    def now(self) -> int:
        """Return the time, in nanoseconds from an arbitrary start."""

    @abstractmethod
    def mailbox(self) -> Mailbox:
        """Make a mailbox."""

    @abstractmethod
    def channel(self) -> Channel:
        """Open the channel of the next pool on this communicator; all ranks open their channels in the same order."""

    @abstractmethod
    def start(self, role: Role, function: Callable[..., Any], *args: Any, name: str | None = None) -> None:
        """Start a task of this rank that calls the function; nobody waits for it, and it must not raise.

        :param role: the kind of task. The process does not end before tasks of the role `SCHEDULER` have ended.
        :param name: its name in reports; by default that of the role.
        """

    def start_on_call(
        self, role: Role, function: Callable[[Mailbox], Any], wanted: Callable[[], bool], name: str | None = None
    ) -> Mailbox:
        """Start a task of this rank that waits for calls, which any task of this rank may put in.

        :param role: the kind of task.
        :param function: called with the mailbox of the calls; the first thing that it does is to wait for one.
        :param wanted: returns whether it would do anything about the calls that are there. Before it has begun, a world
            may ask, and drop them.
        :param name: its name in reports; by default that of the role.
        :returns: the mailbox of its calls.
        """
        calls = self.mailbox()
        self.start(role, function, calls, name=name)
        return calls

    @abstractmethod
    def task(self) -> object:
        """Return an identity of the task that runs now, among the tasks of this rank."""

    @abstractmethod
    def interruptible(self) -> Interruptible:
        """Prepare to run a function in this task so that other tasks can interrupt it."""

    @abstractmethod
    def lock(self) -> AbstractContextManager[Any]:
        """Make a re-entrant lock between the tasks of this rank."""

    @abstractmethod
    def folder(self) -> str:
        """Make an empty folder, and return its path."""

    def recording(self) -> Sink | None:
        """Return the recorder for a pool that opens now, with this rank as main; None if it is not to be recorded."""
        return self.recorder

    @abstractmethod
    def file_recorder(self, path: str, capture: bool = False) -> FileRecorder:
        """Begin a trace in a file, with a header that describes this world.

        An existing file is never overwritten: a number is added to the name.

        :param capture: keep the calls of failed jobs in a file beside it.
        :raises OSError: the file can't be created.
        """

    def memory(self) -> int:
        """Return the peak memory of this rank's process, in bytes; 0 if it is not known."""
        return 0

    @abstractmethod
    def window(self, buffer: Any) -> Any:
        """An MPI window over `buffer`, created by all ranks together."""

    def node_lock(self, token: int = 0) -> NodeLock | None:
        """Make a lock between the ranks of this node, in which they wait without using a core.

        :param token: the token of such a lock; it is then found, and not made.
        :returns: the lock; None where there is none, or ranks can't wait for each other in the kernel.
        """
        return None


_current: ContextVar[World | None] = ContextVar("bsbpool_world", default=None)


def known_world() -> World | None:
    """Return the world of the rank whose code runs now; None if it is not known."""
    return _current.get()


def this_world(world: World) -> None:
    """Register the world of the code that this task runs from now on."""
    _current.set(world)


def handed_in(world: World) -> Context:
    """Copy the caller's context variables, for code that the caller hands over to run later in a task of `world`."""
    context = copy_context()
    if context.get(_current) is not world:
        context.run(_current.set, world)
    return context
