"""The job pool: carries out what the engine decides, tells listeners, and sees to it that every rank leaves.

What has a state of its own is a part that the pool owns, in a module of its own: `delivery` (listeners), `journal`
(what is recorded), `ranks` (what main knows of them), `results`, `scheduling`, `turns` and `by_hand`. Decisions about
jobs belong in `engine`, clocks and threads in `worlds`, packing in `protocol`, and a worker's loop in `worker`.
"""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any

from ..engine import ANNOUNCE, ASSIGN, Engine
from ..exceptions import (
    JobPoolContextError,
    JobPoolError,
    JobSchedulingError,
    RankLostError,
    WorkflowError,
)
from ..status import JobStatus, PoolStatus
from ..trace.format import describe_error, scrub
from ..trace.listener import TraceRecorder
from ..tracebacks import Frame, remember
from ..values import add_note, listed, name_of, positive, shown, text_of, whole_number
from ..worlds import (
    Channel,
    Mailbox,
    MultipartMessage,
    RankLost,
    Role,
    current_world,
    find_comm_world,
    handed_in,
    this_world,
    world_of,
)
from . import inside
from .caching import free_stale_pool_cache
from .checks import check_returned
from .event_log import EventLog
from .jobs import (
    INHERIT,
    ConnectivityJob,
    FunctionJob,
    Inherit,
    Job,
    PlacementJob,
    bind,
    call_to_send,
    check_dependencies,
    find_kind,
    limit_ns,
)
from .limits import MAIN_GRACE
from .manual import ManualJobs
from .notifier import Notifier, enter
from .progress import (
    PoolJobAddedProgress,
    PoolProgress,
    PoolProgressReason,
    PoolStatusProgress,
    Workflow,
)
from .protocol import (
    CALL_BACK,
    DONE,
    GREW,
    LEFT,
    MEASURE,
    READY,
    RETURNED,
    RUN,
    STARTED,
    STOP,
    STUCK,
    ByReference,
    Codec,
)
from .results import Results, no_result
from .scheduling import ENDED, Schedulers
from .turns import Turns
from .worker import Worker
from .worker_table import WorkerTable

__all__ = ["JobPool", "dispatcher", "open_pools"]

#: Nanoseconds after which a task that waits for main's answer looks whether there is still a main to answer.
ASK_AGAIN = 50_000_000

#: Nanoseconds of listeners' work after which ranks may have had to wait for main.
AWAY = MAIN_GRACE // 4

#: Nanoseconds that ranks have to say which of the jobs that they were sent ahead they have started, when a pool stops.
ANSWER = 1_000_000_000

#: Nanoseconds that main waits for the next message before it writes what was recorded.
LULL = 50_000

#: Messages that main takes in before it looks to anything else.
MOST_AT_ONCE = 200

# What main's other tasks put into its channel if they have no more to say than that there is something to carry out.
_WAKE_UP = (None, None)


class _StopEarly(BaseException):
    """Inside of `execute`: an unhandled error ends a pool that fails fast. Nobody else is to catch it."""


class JobPool:
    """Runs jobs on the ranks of a communicator. Opened with ``with``, on every rank.

    :param id: an id that other ranks give the same pool; what `get_owner` goes by.
    :param scaffold: the owner; it has `_comm`, `_pool_cache` and `register_pool_cached_item`.
    :param fail_fast: stop at the first error that no listener handled; None, which BSB passes, is false.
    :param workflow: the phases of which this pool is a part.
    :param job_timeout: seconds that each job may run for, if nothing else was said of it. Past it the job is
        interrupted and becomes aborted, with a `JobTimeoutError`.
    :param retries: how many times a job that is lost with its rank runs again, elsewhere.
    :raises ValueError: `job_timeout` or `retries` is no such number.
    :raises TypeError: the id is not hashable.

    >>> from bsbpool import JobPool, Owner
    >>> with JobPool("squares", Owner()) as pool:
    ...     job = pool.queue(lambda owner, x: x * x, (3,)) if pool.is_main() else None
    ...     pool.execute(return_results=True)[job]
    9
    """

    def __init__(
        self,
        id: Any,
        scaffold: Any,
        fail_fast: bool | None = False,
        workflow: Workflow | None = None,
        job_timeout: float | None = None,
        retries: int = 0,
    ):
        again = whole_number(retries)
        if again is None or again < 0:
            raise ValueError(f"retries is how many times a lost job runs again, 0 or more, not {shown(retries)}")
        try:
            hash(id)
        except Exception as error:
            raise TypeError(
                f"the id of a pool is what it is found by, such as a number or a name; {shown(id)} is not hashable"
            ) from error
        self._job_limit = limit_ns("job_timeout", job_timeout)
        self._id = id
        self._owner = scaffold
        self._fail_fast = bool(fail_fast)
        self._workflow = workflow if workflow is not None else Workflow(["main"])
        comm = scaffold._comm
        if hasattr(comm, "get_communicator"):
            comm = comm.get_communicator()
        self._world = world_of(comm if comm is not None else find_comm_world())
        self._status: PoolStatus | None = None
        self._engine = Engine(first_in_first_out=not self.parallel, send_ahead=self.parallel, retries=again)
        self._lock = self._world.lock()
        self._codec = Codec() if self.parallel else ByReference()
        self._event_log = EventLog(id, self._engine, self._lock)
        record, settle = self._event_log.record, self._event_log.settle
        self._notifier = Notifier(self, record, settle)
        self._workers = WorkerTable(self._engine.jobs)
        self._results = Results(self._codec, self._folder)
        self._manual = ManualJobs(self._world, self._engine, self._lock, self._perform, record, self._wake_main)
        self._schedulers = Schedulers(
            self._lock, self._start, self._tell_main, record, self._event_log.raised, settle, lambda: self._stopping
        )
        # Where there is one rank: whose turn it is.
        self._turns = None if self.parallel else Turns(self._engine, self._schedulers, self._to_local_worker)
        self._channel: Channel | None = None
        self._open = False
        self._executed = False
        self._stopping = False
        # Main: whether all workers were let go. A worker: whether main knows that it leaves, or has let it go.
        self._dismissed = False
        self._closed = False
        self._cleanup_errors: list[Exception] = []
        self._stack = ExitStack()
        self._waiting = False
        self._local_worker: Mailbox | None = None
        # The task that executes the pool.
        self._task: object = None

    def __repr__(self) -> str:
        status = self._status.value if self._status else "not opened"
        return f"<JobPool {self._id}: {status}, {len(self._engine.jobs)} jobs>"

    # -- what it is --------------------------------------------------------------------------------

    @property
    def id(self) -> Any:
        """The pool's id."""
        return self._id

    @property
    def owner(self) -> Any:
        """The owner on this rank."""
        return self._owner

    @property
    def status(self) -> PoolStatus | None:
        """What the pool is doing; None before it is opened."""
        return self._status

    @property
    def workflow(self) -> Workflow:
        """The workflow of which this pool is a part."""
        return self._workflow

    @property
    def jobs(self) -> list[Job]:
        """All jobs, in the order in which they were queued."""
        return list(self._engine.jobs)  # type: ignore[arg-type]

    @property
    def parallel(self) -> bool:
        """Whether there is more than one rank."""
        return self._world.size > 1

    @property
    def scheduling(self) -> bool:
        """Whether a scheduler still runs, or has yet to start."""
        return self._schedulers.left > 0

    def is_main(self) -> bool:
        """Whether this is main, the rank that queues jobs and hears of them.

        :returns: True on rank 0.
        """
        return self._world.rank == 0

    @classmethod
    def get_owner(cls, id: Any) -> Any:
        """The owner, on this rank, of the open pool with that id.

        :param id: what the pool was made with.
        :returns: the object that the pool was given as its owner.
        :raises JobPoolError: no such pool is open on this rank.
        """
        return _find_pool(id)._owner

    @classmethod
    def get_tmp_folder(cls, id: Any) -> str:
        """The folder, on this rank, of the open pool with that id; it goes when the pool closes.

        :param id: what the pool was made with.
        :returns: its path.
        :raises JobPoolError: no such pool is open on this rank.
        """
        return _find_pool(id)._folder()

    # -- opening and closing -----------------------------------------------------------------------

    def __enter__(self) -> JobPool:
        if self._status is not None:
            raise JobPoolError(f"Pool {self._id} was opened before: make a new pool for each run.")
        try:
            self._enter()
            return self
        except BaseException as error:
            # What was not entered is not left: Python does not call this then.
            self.__exit__(type(error), error, error.__traceback__)
            raise

    def _enter(self) -> None:
        world = self._world
        inside.refuse(f"Can't open pool {text_of(self._id)}", world)
        this_world(world)
        self._channel = world.channel()
        self._engine.send_ahead &= self._channel.any_task_sends
        self._stack.callback(self._close)
        pools = world.state.setdefault("pools", {})
        pools.setdefault(self._id, []).append(self)
        self._open = True
        if self.is_main():
            self._event_log.open(self._world)
            for kind, *fields in self._opening():
                self._event_log.record(kind, *fields)
        for listener in self._notifier.listeners:
            enter(listener, self._stack)
        self._engine.tells_all = bool(self._notifier.listeners)
        self.change_status(PoolStatus.SCHEDULING)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._executed or self._status is None:
                pass
            elif self.is_main():
                self._stop_unexecuted(error)
            else:
                self._leave(error)
        finally:
            # Twice, so that an interrupt at any place in the one is made good by the other.
            try:
                self._stack.__exit__(kind, error, traceback)
            finally:
                self._close()

    def _stop_unexecuted(self, error: BaseException | None) -> None:
        """Main leaves the pool and has not executed it."""
        if error is None:
            why = told = "Main left the pool without calling execute(); every rank calls it."
        else:
            why, told = f"The pool stopped: {describe_error(error)}", _SEE_MAIN
        if error is not None:
            self._event_log.raised("unexecuted", error)
        self._event_log.record("unexecuted", describe_error(error))
        problems = self._stop_early(why)
        self._dismiss(told)
        if problems and error is None:
            raise problems[0]

    def _close(self) -> None:
        """The last thing that happens to a pool: let everybody leave who was not told to, and give back what it holds.

        It can be done again, if it did not get to its end.
        """
        channel, pools = self._channel, self._world.state.get("pools", {})
        if channel is None or self._closed:
            return
        self._open = False
        self._status = PoolStatus.CLOSING
        if not self.is_main():
            self._leave(None)
        elif not self._dismissed:
            with self._lock:
                self._stopping = True
                self._engine.stop("The pool stopped.")
            self._dismiss(_SEE_MAIN)
        if self in pools.get(self._id, ()):
            pools[self._id].remove(self)
        if not pools.get(self._id, True):
            del pools[self._id]
        channel.close()
        self._event_log.rest()
        self._closed = True

    def _folder(self) -> str:
        folder: str | None = self.__dict__.get("_folder_path")
        if folder is None:
            folder = self.__dict__["_folder_path"] = self._world.folder()
            self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    # -- listeners ---------------------------------------------------------------------------------

    def add_listener(self, listener: Callable[[PoolProgress], Any], max_wait: float | None = None) -> None:
        """Tell `listener` of all that happens; it is called on main, with a `PoolProgress`.

        One that is a context manager enters and leaves with the pool. One that returns a true value for a
        job that failed has handled that error.

        :param max_wait: seconds after which it wants a ping if nothing happens.
        :raises TypeError: the listener can't be called.
        :raises ValueError: `max_wait` is no number above 0.
        :raises JobPoolError: this is a worker, and the pool executes.

        >>> import bsbpool
        >>> with bsbpool.job_pool(quiet=True) as pool:
        ...     pool.add_listener(lambda progress: print(progress.reason.name, progress.status.value))
        ...     pool.execute()
        POOL_STATUS_CHANGE scheduling
        POOL_STATUS_CHANGE executing
        POOL_STATUS_CHANGE closing
        {}
        """
        if not callable(listener):
            raise TypeError(f"a listener is called with each PoolProgress; {shown(listener)} can't be called")
        self._check_not_at_jobs("add a listener")
        seconds = None if max_wait is None else positive(max_wait)
        if max_wait is not None and seconds is None:
            raise ValueError(f"max_wait is a number of seconds above 0, not {shown(max_wait)}")
        if isinstance(listener, TraceRecorder):
            # It gets all that happens, not only what listeners are told.
            if self._open:
                self._record_from_now_on(listener)
            else:
                self._event_log.add(listener)
            return
        if self._open:
            enter(listener, self._stack)
        self._notifier.add(listener, seconds, self._handed_in())
        self._engine.tells_added = self._engine.tells_all = True

    def add_notification(self, notification: PoolProgress) -> None:
        """Put a notification in line; `notify` delivers it.

        :param notification: what listeners are called with.
        """
        self._notifier.line.append(notification)

    def notify(self) -> None:
        """Deliver the notifications that stand in line, in order, to all listeners.

        :raises BaseException: what a listener or callback raised, after the others got this notification too.
        """
        delivery = self._notifier
        while delivery.line:
            delivery.quiet_since = self._world.now()
            errors = delivery.deliver(delivery.line.popleft())
            if errors:
                for other in errors[1:]:
                    add_note(errors[0], f"Another listener raised for the same notification: {shown(other)}")
                raise errors[0]
            if delivery.unhandled and self._fail_fast and not self._stopping:
                raise _StopEarly

    def ping(self) -> None:
        """Tell listeners that the pool is alive, though nothing happened for a while."""
        self._event_log.record("ping")
        self.add_notification(PoolProgress(self, PoolProgressReason.MAX_TIMEOUT_PING))

    def change_status(self, status: PoolStatus) -> None:
        """Set the pool's status, and tell listeners.

        :param status: the status that it takes.
        """
        with self._lock:
            self._execute_commands()
            old, self._status = self._status, status
            if self.is_main():
                self._event_log.record("pool_status", status.value)
                self.add_notification(PoolStatusProgress(self, old))

    def _record_from_now_on(self, listener: TraceRecorder) -> None:
        """A recorder came when the pool was open."""
        if not self.is_main():
            return
        with self._lock:
            if self._engine.jobs:
                raise JobPoolError(
                    "A TraceRecorder has to come before the first job: a trace has every job, and this pool has "
                    f"{len(self._engine.jobs)}."
                )
            assert self._status is not None
            scheduled = [("schedule", nodes) for nodes in self._schedulers.to_start()]
            status = ("pool_status", self._status.value)
            self._event_log.join(listener, self._world, *self._opening(), status, *scheduled)

    def _opening(self) -> Iterator[tuple[Any, ...]]:
        """What a trace says of the pool before all else, as kinds of events with their fields."""
        phases = [scrub(text_of(phase)) for phase in self._workflow.phases]
        yield "pool", self._world.size, self._fail_fast, phases
        if self.parallel and not self._engine.send_ahead:
            yield ("one_at_a_time",)
        if self.parallel and self._engine.idle_first:
            yield ("idle_first",)
        if self._turns is not None:
            yield ("in_turn",)
        if self._engine.retries:
            yield "retries", self._engine.retries

    # -- queueing ----------------------------------------------------------------------------------

    def queue(
        self,
        f: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        deps: Iterable[Job] | None = None,
        **context: Any,
    ) -> FunctionJob:
        """Queue a call of ``f(owner, *args, **kwargs)``.

        :param f: a function; it gets the owner of the pool on the rank where it runs, and then its arguments.
        :param args: its positional arguments: a sequence, such as ``(x,)``.
        :param kwargs: its keyword arguments, by name.
        :param deps: jobs of this pool that have to succeed first.
        :param context: what is worth saying about the job; `submitter` names it, `cache_items` lists the ids
            of the cached items that it requires, and `timeout` is the seconds that it may run for (None: any time; by
            default the pool's `job_timeout`). A name that is easily taken for an option, such as `priority`, is
            refused; an entry of that name is written ``context={"priority": 3}``.
        :returns: the job; on other ranks than main a handle that stays pending unless it is cancelled there, since main
            has the job.
        :raises TypeError: an argument is not what it has to be, or `f` is a coroutine or generator function.
        :raises JobPoolError: the pool is not open, or this is a worker and the pool executes.

        >>> import bsbpool
        >>> with bsbpool.job_pool(quiet=True) as pool:
        ...     first = pool.queue(lambda owner, x: x + 1, (1,), submitter="add", chunk=7)
        ...     last = pool.queue(lambda owner: "after it", deps=[first])
        ...     results = pool.execute(return_results=True)
        ...     first, results[first], results[last]
        (<FunctionJob 0 add (chunk=7)>, 2, 'after it')
        """
        cache_items = context.pop("cache_items", None)
        return FunctionJob(self, f, args, kwargs, deps, cache_items=cache_items, **context)

    def queue_placement(
        self, strategy: Any, chunk: Any, deps: Iterable[Job] | None = None, timeout: float | Inherit | None = INHERIT
    ) -> PlacementJob:
        """Queue the placement of one chunk, as a `PlacementJob`.

        :param strategy: what is under ``strategy.name`` in the owner's `placement`, on every rank.
        :param chunk: the chunk to place.
        :param deps: jobs of this pool that have to succeed first.
        :param timeout: seconds that it may run for; None: any time. By default the pool's `job_timeout`.
        :returns: the job.
        :raises JobPoolError: the pool is not open, or this is a worker and the pool executes.
        """
        return PlacementJob(self, strategy, chunk, deps, timeout)

    def queue_connectivity(
        self,
        strategy: Any,
        pre_roi: Any,
        post_roi: Any,
        deps: Iterable[Job] | None = None,
        timeout: float | Inherit | None = INHERIT,
    ) -> ConnectivityJob:
        """Queue the connection of two regions, as a `ConnectivityJob`.

        :param strategy: what is under ``strategy.name`` in the owner's `connectivity`, on every rank.
        :param pre_roi: chunks to connect from; None for all.
        :param post_roi: chunks to connect to; None for all.
        :param deps: jobs of this pool that have to succeed first.
        :param timeout: seconds that it may run for; None: any time. By default the pool's `job_timeout`.
        :returns: the job.
        :raises JobPoolError: the pool is not open, or this is a worker and the pool executes.
        """
        return ConnectivityJob(self, strategy, pre_roi, post_roi, deps, timeout)

    def get_submissions_of(self, submitter: Any) -> list[Job]:
        """The jobs that `submitter` submitted.

        :returns: them, in the order in which they were queued.
        """
        return [job for job in self.jobs if job.submitter is submitter]

    def get_required_cache_items(self) -> set[int]:
        """What must not be freed yet.

        :returns: the ids of the cached items that jobs require which have not ended.
        """
        return {*self._engine.required}

    @property
    def _max_wait(self) -> float:
        """Seconds after which listeners get a ping if nothing happened, under the name that code for BSB uses."""
        return self._notifier.max_wait

    @_max_wait.setter
    def _max_wait(self, seconds: float) -> None:
        self._notifier.max_wait = seconds

    def _put(self, job: Job, deps: Iterable[Job] | None) -> None:
        """What every new job does."""
        dependencies = check_dependencies(job, deps) if deps is not None else ()
        channel = self._channel
        with self._lock:
            self._check_can_queue("queue jobs")
            assert channel is not None
            if not self.is_main():
                self._engine.add(job, dependencies)
                self._engine.commands.clear()  # a handle, of which nobody is told: main has the job
                return
            if self._turns is not None:
                job._variables = self._handed_in()
            recorded = self._event_log.sink is not None
            name = job.name if recorded or channel.scripted else ""
            try:
                self._engine.add(job, dependencies)
            except BaseException as error:
                channel.put((None, error))  # whoever queues may go on, but the pool can't: it has half a job
                raise
            if channel.scripted:
                channel.introduce(job._id, name, job._context)
            if recorded:
                self._event_log.job(job, name, dependencies)
            self._wake_main()

    def _check_can_queue(self, what: str) -> None:
        if not self._open:
            state = "is closed" if self._status is not None else "is not open"
            raise JobPoolContextError(
                f"Can't {what}: pool {self._id} {state}. Use it inside of its `with` block, before that ends."
            )
        if self._status is PoolStatus.CLOSING:
            raise JobPoolError(f"Can't {what}: pool {self._id} is closing, execute() has ended.")
        self._check_not_at_jobs(what)

    def _check_not_at_jobs(self, what: str) -> None:
        """A job on a worker can't do to its pool what main does: in silence, nothing would come of it."""
        if self._status is PoolStatus.EXECUTING and not self.is_main():
            raise JobPoolError(
                f"Can't {what} on rank {self._world.rank} while pool {self._id} executes: main (rank 0) has the jobs. "
                "Do it from main's listeners, callbacks and schedulers, or before execute()."
            )

    def _handed_in(self) -> Context:
        """The context variables of the caller, for what it hands in to run later."""
        context = handed_in(self._world)
        inside.mark(self._id, self._world, context)
        return context

    # -- other tasks of main, and cancelling -------------------------------------------------------

    def _wake_main(self) -> None:
        """Something about jobs changed, under the lock: see to it that it is carried out."""
        if self._status is not PoolStatus.EXECUTING:
            self._execute_commands()
        elif self._waiting:
            self._waiting = False
            assert self._channel is not None
            self._channel.put(_WAKE_UP)

    def _cancel(self, job: Job, reason: str | None) -> bool:
        """Cancel a job if it has not started. Returns whether it was cancelled, or is main's to cancel."""
        engine, world, channel = self._engine, self._world, self._channel
        if not self.is_main():  # a handle, of which nobody is told: the program does the same on main, where the job is
            self._check_not_at_jobs("cancel a job")
            with self._lock:
                done = engine.cancel(job, reason)
                engine.commands.clear()
            return done
        with self._lock:
            if not engine.is_ahead(job) or world.task() == self._task:
                done = engine.cancel(job, reason)
                if engine.is_ahead(job):
                    # Its rank says whether it has started: between two jobs, or soon if it is at a long one.
                    # What the engine has decided must reach the ranks first: the job itself may still be here.
                    assert channel is not None and job._rank is not None
                    rank = job._rank
                    self._event_log.record(
                        "call_back", rank, job._id, None if reason is None else scrub(text_of(reason))
                    )
                    self._execute_commands()
                    self._send(rank, (CALL_BACK, job._id))
                    engine.hold()  # who cancels one job may be about to cancel the others
                    self._event_log.settle()
                    while engine.is_ahead(job):
                        self._receive(*channel.get())
                        self._execute_commands()
                    done = job._status is JobStatus.CANCELLED
                self._event_log.record("cancel", job._id, None if reason is None else scrub(text_of(reason)), done)
                self._wake_main()
                return done
        # Only the task that executes the pool receives answers: let it ask.
        assert channel is not None
        answer = world.mailbox()
        channel.put((None, (job, reason, answer)))
        while (answered := answer.get(world.now() + ASK_AGAIN)) is None:
            if not engine.is_ahead(job):  # the pool has stopped meanwhile
                return job._status is JobStatus.CANCELLED
        return bool(answered[0])

    def _start(self, role: Role, function: Callable[..., Any], *args: Any) -> None:
        """Start a task of main. What it raises ends the pool: main must not wait for a task that is gone."""
        assert self._channel is not None
        tell = self._channel.put

        def body() -> None:
            try:
                function(*args)
            except BaseException as error:
                tell((None, error))

        self._world.start(role, body)

    def _tell_main(self, message: Any) -> None:
        """What another task of main has for the one that executes: see `_receive`."""
        assert self._channel is not None
        self._channel.put((None, message))

    # -- scheduling --------------------------------------------------------------------------------

    def schedule(self, nodes: Iterable[Any], scheduler: Callable[[Any], Any] | None = None) -> None:
        """Call ``scheduler(node)`` for each node, in order.

        On several ranks that goes on while jobs run. On one rank, schedulers run before the first job, one after the
        other; those that come later run between two jobs. On other ranks than main no scheduler is called.

        :param nodes: topologically sorted, or a set, which is sorted by name; one whose `depends_on` holds a node that
            was not scheduled is not scheduled.
        :param scheduler: by default ``node.queue(pool)``.
        :raises TypeError: nodes are no list, or the scheduler can't be called.
        :raises JobPoolError: the pool is not open, or this is a worker and the pool executes.

        >>> import bsbpool
        >>> with bsbpool.job_pool(quiet=True) as pool:
        ...     pool.schedule(["golgi", "granule"], lambda node: pool.queue(lambda owner: None, submitter=node))
        ...     _ = pool.execute()
        ...     pool.jobs
        [<FunctionJob 0 golgi>, <FunctionJob 1 granule>]
        """
        self._check_can_queue("schedule")
        each = listed(nodes)
        if each is None:
            raise TypeError(f"nodes lists what is to be scheduled, such as [node]; it is not {shown(nodes)}")
        if scheduler is not None and not callable(scheduler):
            raise TypeError(f"a scheduler is called with each node; {shown(scheduler)} can't be called")
        if isinstance(nodes, Set):
            each.sort(key=name_of)  # BSB hands over sets of hooks, whose order is another one in each process
        call = scheduler if scheduler is not None else (lambda node: node.queue(self))
        if not self.is_main():
            return
        with self._lock:
            self._check_can_queue("schedule")  # it may have closed meanwhile
            self._schedulers.add(each, call, self._handed_in())
            if self._turns is not None:
                if self._status is PoolStatus.EXECUTING:
                    self._engine.hold()  # it runs before the next job
                self._wake_main()
                return
        if self._status is PoolStatus.EXECUTING:
            self._schedulers.start()

    # -- executing ---------------------------------------------------------------------------------

    def execute(self, return_results: bool = False) -> dict[Job, Any]:
        """Run the jobs. Every rank calls it; it ends when all jobs and all schedulers have.

        :returns: on main, with `return_results`, the results of the jobs that succeeded; else an empty dictionary.
        :raises WorkflowError: on main, all errors that no listener handled; on the other ranks, that there were some.
            With `return_results`, also for results that can't be unpickled on main; its `results` are the others.
        :raises JobPoolContextError: the pool is not open.
        """
        if not self._open:
            raise JobPoolContextError(
                f"Can't execute: pool {self._id} is not open. Use it inside of its `with` block, before that ends."
            )
        if self._executed:
            raise JobPoolError(
                f"Can't execute: pool {self._id} was executed before. Queue all jobs before execute(), or make a new "
                "pool for the others."
            )
        self._executed = True
        if not self.is_main():
            return self._execute_worker()
        self._execute_main()
        return self._all_results() if return_results else {}

    def _all_results(self) -> dict[Job, Any]:
        """The results of all jobs that succeeded.

        :raises WorkflowError: some can't be read; it has the others.
        """
        results: dict[Job, Any] = {}
        unread: list[Exception] = []
        for job in self.jobs:
            if job.status is JobStatus.SUCCESS:
                try:
                    results[job] = job.result
                except JobPoolError as error:
                    unread.append(error)
        if unread:
            problem = WorkflowError("All jobs have ended, but some results can't be read.", unread)
            problem.results = results
            raise problem
        return results

    # -- executing, on the other ranks -------------------------------------------------------------

    def _execute_worker(self) -> dict[Job, Any]:
        channel, problem = self._channel, None
        assert channel is not None
        mark = inside.mark(self._id, self._world)
        try:
            self._status = PoolStatus.EXECUTING
            problem = self._worker(channel.get, functools.partial(channel.send, 0), channel.flush).work()
            self._dismissed = True
        except RankLostError as error:
            self._dismissed = True
            raise WorkflowError(_UNHANDLED, [error]) from None
        except BaseException as error:
            self._leave(error)
            raise
        finally:
            inside.unmark(mark)
            self._status = PoolStatus.CLOSING
            cleanup = self._free_all()
            if cleanup is not None and (raised := sys.exception()) is not None:
                add_note(raised, f"Besides: {describe_error(cleanup)}")
        if problem is not None:
            told = WorkflowError(_UNHANDLED, [JobPoolError(problem), *([cleanup] if cleanup is not None else [])])
            told.reported_by_main = problem == _SEE_MAIN and cleanup is None
            raise told
        if cleanup is not None:
            raise cleanup
        return {}

    def _worker(self, receive: Callable[..., Any], send: Callable[..., Any], flush: Callable[[], Any]) -> Worker:
        channel = self._channel
        assert channel is not None
        return Worker(
            self._world, self._owner, self._codec, receive, send, flush, self._perform_in_context,
            channel.any_task_sends, self._cleanup_errors.append,
        )  # fmt: skip

    def _perform_in_context(self, id: int, call: Callable[[], Any]) -> Any:
        """Run the user's code of a job with its context variables. What it sets there, no other job sees.

        They are those with which it was queued, where they are known in this process, or those of this task.
        """
        channel = self._channel
        assert channel is not None
        variables = self._engine.jobs[id]._variables if self._turns is not None else None  # type: ignore[attr-defined]
        return channel.perform(id, functools.partial((variables or copy_context()).run, call))

    def _work_here(self, mailbox: Mailbox) -> None:
        """The task that runs jobs beside main, where there is one rank only."""
        channel = self._channel
        assert channel is not None
        self._worker(mailbox.get, lambda message, parts=(): channel.put((0, message)), channel.flush).work()

    def _free_all(self, told: bool = False) -> ExceptionGroup[Exception] | None:
        """Free all cached items of this rank. Returns what clean-up functions raised, now and before.

        :param told: whether the trace is to have what was freed.
        """
        try:
            freed = free_stale_pool_cache(self._owner, ())
            if freed and told:
                self._event_log.record("freed", 0, None, freed)
        except ExceptionGroup as group:
            self._cleanup_errors += group.exceptions
        errors = self._cleanup_errors
        return ExceptionGroup("clean-up of cached items failed", errors) if errors else None

    # -- executing, on main ------------------------------------------------------------------------

    def _execute_main(self) -> None:
        problems: list[BaseException] = []
        try:
            self._loop()
        except _StopEarly:
            problems = self._call_all_back()
            problems += self._stop_early("The pool stopped at the first error, before this job had ended.")
        except BaseException as error:
            self._event_log.raised("raised", error)
            self._event_log.record("raised", describe_error(error))
            problems = [error]
            if isinstance(error, Exception | KeyboardInterrupt | SystemExit):  # else this rank is being ended
                problems += self._call_all_back()
            problems += self._stop_early(f"The pool stopped: {describe_error(error)}")
        else:
            problems = self._drain()
        failed = bool(problems or self._notifier.unhandled)
        self._dismiss(_SEE_MAIN if failed else None)
        cleanup = self._free_all(told=self.parallel)
        if cleanup is not None:
            problems.append(cleanup)
        if problems:
            first = problems[0]
            for other in [*problems[1:], *self._notifier.unhandled]:
                add_note(first, f"Besides: {describe_error(other)}")
            self._event_log.raised("end", first)
            self._event_log.record("end", describe_error(first))
            raise first
        errors = "; ".join(describe_error(error) or "" for error in self._notifier.unhandled)
        self._event_log.record("end", scrub(f"WorkflowError: {errors}") if errors else None)
        self.raise_unhandled()

    def raise_unhandled(self) -> None:
        """Raise the errors that no listener handled, if there are any.

        :raises WorkflowError: with all of them.
        """
        if self._notifier.unhandled:
            raise WorkflowError("Your workflow encountered errors.", self._notifier.unhandled)

    def _loop(self) -> None:
        """What main does while the pool executes."""
        self._task = self._world.task()
        engine, schedulers = self._engine, self._schedulers
        if not self.parallel:
            self._local_worker = self._world.mailbox()
            self._start(Role.WORKER, self._work_here, self._local_worker)
        if self._turns is not None and schedulers.left:
            self._until(lambda: not schedulers.left, self._begin)
        else:
            with self._lock:
                self._begin()
            schedulers.start()
        self._until(
            lambda: not (engine.unfinished or schedulers.left),
            functools.partial(self.change_status, PoolStatus.CLOSING),
        )

    def _begin(self) -> None:
        """Jobs run from now on; called under the lock."""
        self.change_status(PoolStatus.EXECUTING)
        self._event_log.queued(self._engine.begin())

    def _until(self, done: Callable[[], bool], then: Callable[[], None]) -> None:
        """Take in what comes, until that is `done` and listeners have heard all; `then` is called under the lock."""
        channel, engine, lock, world, turns = self._channel, self._engine, self._lock, self._world, self._turns
        assert channel is not None
        schedulers, workers, notifier = self._schedulers, self._workers, self._notifier
        notifications, commands, receive, get = notifier.line, engine.commands, self._receive, channel.get
        # Whether listeners are told now even if something of the user's runs.
        due = False
        while True:
            with lock:
                self._execute_commands()
                # Jobs are given out again when listeners have heard all that there is to hear.
                if engine.holding and not notifications and not (turns is not None and schedulers.left):
                    engine.go_on()
                    self._event_log.record("resumed")
                    self._execute_commands()
                while turns is not None and not notifications and turns.begin_next():
                    self._execute_commands()
                tell = bool(notifications) and (due or turns is None or not turns.taken)
                self._waiting = not tell
                if not notifications and done():
                    # Still under the lock: whoever wants to queue a job now is told that it is too late.
                    then()
                    return
            due = False
            if tell:
                left_at = world.now()
                self.notify()
                if (back_at := world.now()) - left_at >= AWAY:
                    workers.main_was_away(back_at)
                continue
            if engine.unfinished and len(workers.gone) + len(engine.stuck) >= max(1, world.size - 1):
                self._nobody_left()
            # Nobody to ping, nothing to wake up for: so that a simulation sees a deadlock for what it is.
            ping_at = notifier.quiet_since + round(notifier.max_wait * 1e9) if notifier.listeners else None
            limit_at = workers.next_deadline()
            channel.poll_slack_ns = engine.poll_slack_ns()
            item = None
            if (sink := self._event_log.sink) is not None and sink.writes:
                # What was recorded is written when there is time: before main waits for long, and when there is much.
                sink.keep_up()
                item = get(world.now() + LULL)
                if item is None:
                    sink.settle()
            if item is None:
                try:
                    item = get(min((at for at in (ping_at, limit_at) if at is not None), default=None))
                except Exception as error:  # MPI noticed a dead rank, and can't go on without it
                    add_note(error, workers.whereabouts())
                    raise
            with lock:
                self._waiting = False
                if item is None:
                    if limit_at is not None and limit_at <= world.now():
                        self._on_overdue(*workers.pop_deadline(), "", "")
                    else:
                        self.ping()
                        due = True
                    continue
                receive(*item)
                # What else is there already, as long as nobody has to hear of it.
                for _ in range(MOST_AT_ONCE):
                    if commands or engine.changes:
                        self._execute_commands()
                    if notifications or engine.holding or workers.gone or workers.deadlines or not engine.unfinished:
                        break
                    if (item := get(0)) is None:
                        break
                    receive(*item)
                if commands or engine.changes:
                    self._execute_commands()

    # -- stopping, and letting every rank leave ----------------------------------------------------

    def _stop_early(self, why: str) -> list[BaseException]:
        """End all jobs that have not ended, and tell listeners. Returns what was raised by that."""
        with self._lock:
            self._stopping = True
            self._engine.stop(why)
            self.change_status(PoolStatus.CLOSING)
        return self._drain()

    def _call_all_back(self) -> list[BaseException]:
        """Learn which of the jobs that were sent ahead have not started, and let none of them start any more.

        :returns: what was raised meanwhile.
        """
        engine, channel, problems = self._engine, self._channel, list[BaseException]()
        assert channel is not None
        self._stopping = True
        try:
            with self._lock:
                engine.hold()
                self._execute_commands()
                waiting = engine.ranks_ahead()
                for rank in waiting:
                    self._send(rank, (CALL_BACK, None))
            until = self._world.now() + ANSWER
            while waiting:
                item = channel.get(until)
                with self._lock:
                    if item is None:  # these are at jobs that let nothing else of their process run
                        for rank in waiting:
                            self._event_log.record("unanswered", rank)
                        break
                    try:
                        self._receive(*item)
                    except _StopEarly:
                        pass
                    except Exception as error:
                        problems.append(error)
                    self._execute_commands()
                    if not engine.has_ahead(item[0]):
                        waiting.pop(item[0], None)
        except BaseException as error:  # it can't be learned, and the pool stops all the same
            problems.append(error)
        return problems

    def _drain(self) -> list[BaseException]:
        """Tell listeners all that there is to tell. Returns what they raised."""
        problems: list[BaseException] = []
        while self._notifier.line:
            try:
                self.notify()
            except _StopEarly:
                self._stopping = True
            except BaseException as error:
                self._event_log.raised("raised", error)
                self._event_log.record("raised", describe_error(error))
                problems.append(error)
        return problems

    def _dismiss(self, problem: str | None) -> None:
        """Let the workers leave."""
        assert self._channel is not None
        message = self._codec.encode((STOP, problem))
        self._event_log.settle()
        if self._local_worker is not None:
            self._to_local_worker(message)
        for rank in range(1, self._world.size):
            if rank not in self._workers.gone:
                self._channel.send(rank, message, last=True)
        self._dismissed = True
        for rank, items in self._engine.holdings().items():
            self._event_log.record("freed", rank, None, items)

    def _leave(self, error: BaseException | None) -> None:
        """Tell main that this worker is off for a reason of its own, unless main knows."""
        if self._dismissed:
            return
        assert self._channel is not None
        self._channel.flush()  # what it has sent arrives before, also what is large
        why = describe_error(error) or "it left the pool without calling execute()"
        self._channel.send(0, self._codec.encode((LEFT, why)), last=True)
        self._dismissed = True

    # -- carrying out what the engine has decided --------------------------------------------------

    def _execute_commands(self) -> None:
        """Carry out what the engine has decided; called under the lock."""
        engine = self._engine
        commands = engine.commands
        if engine.changes:
            self._event_log.changes()
        if not commands:
            return
        notify, told = self._notifier.line.append, bool(self._notifier.listeners)
        while commands:
            command = commands.popleft()
            kind, job = command[0], command[1]
            if kind is ANNOUNCE:
                status = command[3]
                if told or (status.ended and (job._callbacks or status is not JobStatus.SUCCESS)):
                    notify((job, command[2], status))
            elif kind is ASSIGN:
                self._assign(job, command[2], command[3])
            else:
                notify(PoolJobAddedProgress(self, job))
        if engine.changes:  # of jobs that could not even be packed
            self._event_log.changes()

    def _assign(self, jobs: Sequence[Job], rank: int, free: list[int]) -> None:
        if free := self._engine.still_stale(rank, free):
            self._event_log.record("freed", rank, jobs[0]._id, free)
        calls: list[tuple[Any, ...]] = []
        failed: list[tuple[Job, Exception | None]] = []
        keeps = self._event_log.keeps_calls
        for job in jobs:
            if job._status.ended:
                # The pool stopped between the decision and now, or somebody ended it by hand: no rank runs it.
                failed.append((job, None))
                continue
            try:
                packed, limit = self._codec.pack_call(call_to_send(job)), job._limit
            except Exception as error:
                failed.append((job, error))
                continue
            if keeps:
                self._event_log.sending(job)
            if limit is None:
                calls.append((job._id, packed))
            else:
                calls.append((job._id, packed, limit))
                self._workers.expect(rank, job, self._world.now() + limit)
        if keeps:
            self._event_log.settle()
        if calls and self._turns is not None:
            self._turns.order(self._codec.encode((RUN, calls, free, self._engine.news[rank])), jobs[0])
        elif calls or free:
            self._send(rank, (RUN, calls, free, self._engine.news[rank]))
        for job, why in failed:
            self._engine.finished(job, why)

    def _send(self, rank: int, message: tuple[Any, ...]) -> None:
        packed = self._codec.encode(message)
        if self._local_worker is not None:
            self._to_local_worker(packed)
        else:
            assert self._channel is not None
            self._channel.send(rank, packed)

    def _to_local_worker(self, message: Any) -> None:
        assert self._local_worker is not None
        self._local_worker.put((0, message))

    # -- what comes from ranks, and from other tasks of main ---------------------------------------

    def _receive(self, rank: int | None, message: Any) -> None:
        """Something came; called under the lock."""
        if rank is None:
            if isinstance(message, JobSchedulingError):
                self._notifier.add_unhandled(message)
                if self._fail_fast:
                    raise _StopEarly
            elif message is ENDED:
                self._schedulers.ended()
            elif isinstance(message, BaseException):
                raise message
            elif message is not None:
                job, reason, answer = message
                answer.put((self._cancel(job, reason),))
            return
        if rank in self._workers.gone:
            return  # what it said before it was lost; its jobs were taken back, or aborted
        if type(message) is RankLost:
            self._lost(rank, f"Rank {rank} on {message.host or self._workers.host(rank)} {message.why}", False)
            return
        if type(message) is MultipartMessage:
            message, parts = message
            _, job, succeeded, _, *more = self._codec.decode(message)
            self._done(rank, job, succeeded, parts, *more)
            return
        news = self._codec.decode(message)
        kind = news[0]
        if kind == DONE:
            self._done(rank, *news[1:])
        elif kind == READY:
            self._event_log.record("ready", rank)
            self._workers.hosts[rank] = news[2]
            if (sink := self._event_log.sink) is not None and sink.measures:
                self._send(rank, (MEASURE,))
            self._engine.ready(rank, news[1])
            if news[1]:
                self._event_log.record("cached", rank, None, news[1])
        elif kind == RETURNED:
            self._event_log.record("returned", rank, news[1])
            self._engine.returned(rank, [self._engine.jobs[id] for id in news[1]])
        elif kind == STARTED:
            self._event_log.record("started", rank, news[1])
        elif kind == STUCK:
            self._on_overdue(news[1], rank, *news[2:])
        elif kind == GREW:
            self._event_log.record("memory", rank, news[1], news[2])
        elif kind == LEFT:
            self._lost(rank, f"Rank {rank} left the pool: {news[1]}", True)

    def _done(
        self, rank: int, id: int, succeeded: bool | None, payload: Any, started: int, ended: int, cached: list[int]
    ) -> None:
        """A rank has run a job; see `protocol` for the fields."""
        engine = self._engine
        job: Job = engine.jobs[id]  # type: ignore[assignment]
        if succeeded and not cached:
            if not job._status.ended:
                self._results.keep(job, payload)
            engine.finished(job, None, ended - started)
            if self._event_log.sink is not None:
                self._event_log.success(job, rank, started, ended)
            return
        self._event_log.record("message", rank, id, started, ended)
        if cached:
            self._event_log.record("cached", rank, id, cached)
            engine.cached(rank, cached)
        if succeeded:
            if not job._status.ended:
                self._results.keep(job, payload)
            engine.finished(job, None, ended - started)
            return
        if self._fail_fast:
            engine.hold()  # if nobody handles it, nothing is to start any more
        if succeeded is None:
            place, stack, frames = payload
            error: BaseException = self._workers.overran(
                job, rank, f"was interrupted{f' in {place}' * bool(place)}", stack
            )
            remember(error, [("raised", describe_error(error) or "", frames)])
        else:
            error = self._codec.unpack_error(payload)
        engine.finished(job, error, ended - started, interrupted=succeeded is None)

    # -- time limits, and lost ranks ---------------------------------------------------------------

    def _limit(self, job: Job, limit: int | None) -> None:
        """Set a job's time limit."""
        with self._lock:
            if job._status is JobStatus.RUNNING or job._status.ended or self._engine.is_ahead(job):
                raise JobPoolError(
                    f"The timeout of {job} can't change any more, it is {job._status.value}: set it before the job "
                    "starts, or hand it over with queue(…, timeout=seconds)."
                )
            job._limit = limit
            self._event_log.record("limit", job._id, limit)

    def _on_overdue(self, id: int, rank: int, place: str, stack: str, frames: Sequence[Frame] = ()) -> None:
        """A job is past its limit, and its rank could not end it; without a place, the rank does not answer."""
        job: Job = self._engine.jobs[id]  # type: ignore[assignment]
        if self._fail_fast:
            self._engine.hold()
        what = f"was in {place}" if place else "its rank does not answer"
        why = f"{what}, and can't be interrupted: rank {rank} gets no more jobs until it has ended"
        error = self._workers.overran(job, rank, why, stack)
        remember(error, [("raised", describe_error(error) or "", [*frames])])
        if self._engine.overdue(job, rank, error):
            self._event_log.record("stuck", rank, id)

    def _lost(self, rank: int, why: str, is_error: bool) -> None:
        """A rank is gone; called under the lock."""
        if rank in self._workers.gone or rank == 0 or (not self.is_main()):
            return
        self._workers.gone[rank] = None
        self._event_log.record("lost", rank, scrub(why))
        job = self._engine.lost(rank, RankLostError(why))
        if is_error and (job is None or not job._status.ended):
            self._notifier.add_unhandled(RankLostError(why))
            if self._fail_fast:
                raise _StopEarly

    def _nobody_left(self) -> None:
        self._notifier.add_unhandled(self._workers.nobody_left(self._engine.unfinished, [*self._engine.stuck]))
        raise _StopEarly

    # -- what jobs ask their pool for --------------------------------------------------------------

    def _result_of(self, job: Job) -> Any:
        if not self.is_main():
            raise JobPoolError(
                f"Result of {job} is not available. Here is rank {self._world.rank}; main (rank 0) has it."
            )
        if job._status is not JobStatus.SUCCESS or not self._open:
            raise no_result(job, self._id, self._open)
        return self._results.of(job)

    def _perform(self, job: Job) -> Any:
        """Call what a job calls, on main."""
        return self._perform_in_context(job._id, bind(call_to_send(job), self._owner))


_UNHANDLED = "Unhandled exceptions during parallel execution."
_SEE_MAIN = "See main node logs for details."


def dispatcher(pool_id: Any, job_args: tuple[Any, Any, Any]) -> Any:
    """Run, on this rank, the job that `Job.serialize` gave, for the open pool with that id.

    Before the job, cached items that no unfinished job requires are freed.

    :param pool_id: what the pool was made with.
    :param job_args: the name of the job's class, its args and its kwargs.
    :returns: what the job returns.
    :raises JobPoolError: no such pool is open on this rank, or there is no such kind of job.

    >>> from bsbpool import JobPool, Owner
    >>> from bsbpool.pool import dispatcher
    >>> with JobPool("by hand", Owner()) as pool:
    ...     job = pool.queue(lambda owner, x: x * x, (3,))
    ...     dispatcher("by hand", job.serialize())
    ...     _ = pool.execute()
    9
    """
    pool = _find_pool(pool_id)
    kind, args, kwargs = job_args
    free_stale_pool_cache(pool.owner, pool.get_required_cache_items())
    return check_returned(find_kind(kind).execute(pool.owner, args, kwargs))


def open_pools() -> list[JobPool]:
    """The pools that are open on this rank."""
    pools: dict[Any, list[JobPool]] = current_world().state.get("pools", {})
    return [pool for each in pools.values() for pool in each]


def _find_pool(id: Any) -> JobPool:
    pools: dict[Any, list[JobPool]] = current_world().state.get("pools", {})
    if id not in pools:
        known = ", ".join(repr(i) for i in pools) or "none"
        raise JobPoolError(f"No pool with id {id!r} is open on this rank; open pools: {known}.")
    return pools[id][-1]
