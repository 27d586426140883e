"""The state of a rank in an open pool that is the same on main and workers: channel, status, listeners, cached items.

The work of main belongs in `coordinator`, and that of the other ranks in `worker_rank`.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context, copy_context
from typing import Any

from ..engine.engine import Engine
from ..engine.status import PoolStatus
from ..errors_and_facts import facts_of
from ..exceptions import JobPoolContextError, JobPoolError, WorkflowError
from ..lazily import made_when_used
from ..trace.listener import TraceRecorder
from ..values import add_note, shown
from ..worlds import Channel, World, handed_in
from . import inside
from .caching import free_stale_pool_cache
from .calls import bind, call_to_send
from .event_log import EventLog
from .jobs import Job
from .manual import ManualJobs
from .notifier import Notifier
from .pool_of_jobs import PoolRef
from .progress import PoolOfProgress, PoolProgress, PoolProgressReason
from .protocol import ByReference, Codec, OpenMessages
from .turns import OneRank
from .worker import Worker

SEE_MAIN = "See main node logs for details."


class StopEarly(BaseException):
    """Inside of `execute`: an unhandled error ends a pool that fails fast. Nobody else is to catch it."""


class Member(ABC):
    """One rank's part in a pool.

    :param pool: refers to the pool, which notifications show.
    :param id: its id.
    :param owner: its owner on this rank.
    :param world: the ranks.
    :param make_engine: makes what decides; on other ranks than main it has handles of jobs, and decides nothing.
    :ivar lock: guards the engine.
    :ivar made: those of its parts that were asked for, by name.
    :ivar status: what the pool is doing; None before it is opened.
    :ivar channel: where this rank waits for others; None before the pool is opened.
    :ivar is_open: whether jobs can be queued, and it can be executed.
    :ivar dismissed: on main, whether all workers were let go; on another rank, whether main knows that it leaves, or
        has let it go.
    :ivar turns: who runs next, where there is one rank.
    """

    def __init__(
        self, pool: PoolRef, id: Any, owner: Any, world: World, make_engine: Callable[[], Engine[Job]]
    ) -> None:
        self._pool_ref = pool
        self.id = id
        self.owner = owner
        self.world = world
        self._make_engine = make_engine
        self.lock = world.lock()
        self.made: dict[str, Any] = {}
        self.codec = ByReference() if world.size == 1 else Codec() if world.sends_bytes else OpenMessages()
        self.status: PoolStatus | None = None
        self.channel: Channel | None = None
        self.is_open = False
        self.dismissed = False
        self.turns: OneRank | None = None
        self._stopping = False
        self._cleanup_errors: list[Exception] = []

    # -- its parts, which other ranks than main mostly never need ------------------------------------

    @property
    def _pool(self) -> PoolOfProgress:
        pool: PoolOfProgress | None = self._pool_ref()
        assert pool is not None, "nobody refers to the pool any more"
        return pool

    @made_when_used
    def engine(self) -> Engine[Job]:
        """The engine; on other ranks than main it only has handles of jobs, and decides nothing."""
        return self._make_engine()

    @made_when_used
    def event_log(self) -> EventLog:
        """The event log of the pool."""
        return EventLog(self.id, self.engine, self.lock)

    @made_when_used
    def notifier(self) -> Notifier:
        """The notifier of the pool."""
        return Notifier(self._pool_ref, self.engine.failures, self.unhandled, self.event_log.settle)

    @made_when_used
    def manual(self) -> ManualJobs:
        """The jobs that the program runs itself."""
        return ManualJobs(self.world, self.engine, self.lock, self._perform_job, self.event_log.record, self.attend)

    @property
    def listeners(self) -> Sequence[Callable[[PoolProgress], Any]]:
        """The listeners of the pool."""
        return self.notifier.listeners if "notifier" in self.made else ()

    # -- what differs ------------------------------------------------------------------------------

    @abstractmethod
    def opened(self) -> None:
        """The pool has opened."""

    @abstractmethod
    def change_status(self, status: PoolStatus) -> None:
        """Set the pool's status, and tell listeners."""

    @abstractmethod
    def record_from_now_on(self, recorder: TraceRecorder) -> None:
        """A recorder came when the pool was open.

        :raises JobPoolError: there is a job already.
        """

    @abstractmethod
    def put(self, job: Job, deps: Iterable[Job] | None) -> None:
        """What every new job does."""

    @abstractmethod
    def cancel(self, job: Job, reason: str | None) -> bool:
        """Cancel a job if it has not started. Returns whether it was cancelled, or is main's to cancel."""

    @abstractmethod
    def attend(self) -> None:
        """See to it that what the engine has decided is carried out; called under the lock."""

    @abstractmethod
    def schedule(self, nodes: Sequence[Any], scheduler: Callable[[Any], Any]) -> None:
        """Call the scheduler with each node, in order."""

    @property
    @abstractmethod
    def scheduling(self) -> bool:
        """Whether a scheduler still runs, or has yet to start."""

    @abstractmethod
    def execute(self) -> None:
        """Run the jobs."""

    @abstractmethod
    def result_of(self, job: Job) -> Any:
        """Return the result of a job.

        :raises JobPoolError: it has not succeeded, or its pool was closed.
        """

    @abstractmethod
    def leave_unexecuted(self, error: BaseException | None) -> None:
        """The program leaves the pool and has not executed it, because of an error if there is one."""

    @abstractmethod
    def let_go(self) -> None:
        """The last thing: nobody is to wait for this rank any more."""

    def dissolve(self) -> None:
        """Drop what parts of this refer to it by, once the pool is closed: so all of it is freed with the last who
        refers to the pool, and does not wait for Python's garbage collector.
        """
        if "notifier" in self.made:
            self.notifier.dissolve()

    # -- what does not -----------------------------------------------------------------------------

    def open(self) -> None:
        """Open the channel."""
        self.channel = self.world.channel()

    def forget_turns(self) -> None:
        """Nobody has to wait for another one where there is one rank, as in 0.1."""
        self.turns = None

    def check_can_queue(self, what: str) -> None:
        """Refuse what takes a pool that is open and has not ended.

        :param what: what is refused, such as ``"queue jobs"``.
        :raises JobPoolError: it is not, or this is a worker and the pool executes.
        """
        if not self.is_open:
            state = "is closed" if self.status is not None else "is not open"
            raise JobPoolContextError(
                f"Can't {what}: pool {self.id} {state}. Use it inside of its `with` block, before that ends."
            )
        if self.status is PoolStatus.CLOSING:
            raise JobPoolError(f"Can't {what}: pool {self.id} is closing, execute() has ended.")
        self.check_not_at_jobs(what)

    def check_not_at_jobs(self, what: str) -> None:
        """A job on a worker can't do to its pool what main does: in silence, nothing would come of it."""
        if self.status is PoolStatus.EXECUTING and self.world.rank:
            raise JobPoolError(
                f"Can't {what} on rank {self.world.rank} while pool {self.id} executes: main (rank 0) has the jobs. "
                "Do it from main's listeners, callbacks and schedulers, or before execute()."
            )

    def handed_in(self) -> Context:
        """The context variables of the caller, for what it hands in to run later."""
        context = handed_in(self.world)
        inside.mark(self.id, self.world, context)
        return context

    def notify(self) -> None:
        """Deliver the notifications that stand in line, in order, to all listeners.

        :raises BaseException: what a listener or callback raised, after the others got this notification too.
        """
        notifier, failures = self.notifier, self.engine.failures
        while notifier.line:
            notifier.quiet_since = self.world.now()
            errors = notifier.deliver(notifier.line.popleft())
            if errors:
                for other in errors[1:]:
                    add_note(errors[0], f"Another listener raised for the same notification: {shown(other)}")
                raise errors[0]
            if failures.stops and not self._stopping:
                raise StopEarly

    def unhandled(self, error: Exception, job: Job | None = None) -> None:
        """No listener handled this error: `execute` is to raise it.

        :param job: the job whose end it is, if it is one's.
        """
        with self.lock:
            self.engine.unhandled(error)
            self.event_log.record("unhandled", None if job is None else job._id, facts_of(error))

    def ping(self) -> None:
        """Tell listeners that the pool is alive, though nothing happened for a while."""
        self.event_log.record("ping")
        self.notifier.line.append(PoolProgress(self._pool, PoolProgressReason.MAX_TIMEOUT_PING))

    def raise_unhandled(self) -> None:
        """Raise the errors that no listener handled, if there are any.

        :raises WorkflowError: with all of them.
        """
        if unhandled := self.engine.failures.unhandled:
            raise WorkflowError("Your workflow encountered errors.", unhandled)

    def limit(self, job: Job, limit: int | None) -> None:
        """Set a job's time limit, in nanoseconds.

        :raises JobPoolError: it is too late for that.
        """
        with self.lock:
            self.engine.set_limit(job, limit)
            self.event_log.record("limit", job._id, limit)

    # -- running jobs, and cached items ------------------------------------------------------------

    def worker(self, receive: Callable[..., Any], send: Callable[..., Any]) -> Worker:
        """The worker of this rank.

        :param receive: gives it the next message.
        :param send: takes its messages for main.
        """
        channel = self.channel
        assert channel is not None
        return Worker(
            self.world, self.owner, self.codec, receive, send, channel.flush, self._perform, channel.any_task_sends,
            self._cleanup_errors.append,
        )  # fmt: skip

    def _perform(self, id: int, call: Callable[[], Any]) -> Any:
        """Run the user's code of a job with its context variables. What it sets there, no other job sees.

        They are those with which it was queued, where they are known in this process, or those of this task.
        """
        channel = self.channel
        assert channel is not None
        if self.turns is None and channel.calls_only:
            return copy_context().run(call)
        variables = self.engine.jobs[id]._variables if self.turns is not None else None
        return channel.perform(id, functools.partial((variables or copy_context()).run, call))

    def _perform_job(self, job: Job) -> Any:
        """Call what a job calls, on this rank."""
        return self._perform(job._id, bind(call_to_send(job), self.owner))

    def free_all(self, told: bool = False) -> ExceptionGroup[Exception] | None:
        """Free all cached items of this rank. Returns what clean-up functions raised, now and before.

        :param told: whether the trace is to have what was freed.
        """
        try:
            freed = free_stale_pool_cache(self.owner, ()) if self.owner._pool_cache else []
            if freed and told:
                self.event_log.record("freed", 0, None, freed)
        except ExceptionGroup as group:
            self._cleanup_errors += group.exceptions
        errors = self._cleanup_errors
        return ExceptionGroup("clean-up of cached items failed", errors) if errors else None
