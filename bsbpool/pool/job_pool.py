"""The public interface of the job pool: checks arguments, and passes calls on.

The work of main belongs in `coordinator`, that of the other ranks in `worker_rank`, and their common state in `member`.
`bsbpool.engine` decides which jobs run on which rank, and their statuses.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any

from ..engine.engine import Engine
from ..engine.status import JobStatus, PoolStatus
from ..exceptions import JobPoolContextError, JobPoolError, WorkflowError
from ..trace.listener import TraceRecorder
from ..values import listed, name_of, positive, shown, text_of, whole_number
from ..worlds import find_comm_world, this_world, world_of
from . import inside
from .checks import INHERIT, Inherit, check_function, limit_ns
from .coordinator import Coordinator
from .jobs import ConnectivityJob, FunctionJob, Job, PlacementJob
from .manual import ManualJobs
from .member import Member
from .notifier import enter
from .open_pools import find_pool, put_in, take_out
from .pool_of_jobs import PoolRef
from .progress import PoolProgress, Workflow
from .worker_rank import WorkerRank

__all__ = ["JobPool"]


class JobPool:
    """Runs jobs on the ranks of a communicator. Opened with ``with``, on every rank.

    :param id: the id of the pool, the same on every rank; `get_owner` finds the pool by it.
    :param scaffold: the owner; it has `_comm`, `_pool_cache` and `register_pool_cached_item`.
    :param fail_fast: stop at the first error that no listener handles; None, which BSB passes, is false.
    :param workflow: the phases of which this pool is a part.
    :param job_timeout: seconds that each job may run, unless it is queued with a `timeout` of its own; None: no limit.
        At the limit the job is interrupted and becomes aborted, with a `JobTimeoutError`.
    :param retries: how many times a job runs again, on another rank, whose rank was lost.
    :raises TypeError: `id` is not hashable, or another argument has the wrong type.
    :raises ValueError: `retries` or `job_timeout` is out of range.

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
        again = retries if type(retries) is int else whole_number(retries)
        if again is None or again < 0:
            raise ValueError(f"retries is how many times a lost job runs again, 0 or more, not {shown(retries)}")
        try:
            hash(id)
        except Exception as error:
            raise TypeError(
                f"the id of a pool is what it is found by, such as a number or a name; {shown(id)} is not hashable"
            ) from error
        self._job_limit = None if job_timeout is None else limit_ns("job_timeout", job_timeout)
        self._id, self._owner, self._workflow = id, scaffold, workflow
        comm = scaffold._comm
        if hasattr(comm, "get_communicator"):
            comm = comm.get_communicator()
        world = self._world = world_of(comm if comm is not None else find_comm_world())
        #: how its jobs refer to it.
        self._ref = ref = PoolRef(self)
        ref.id, ref.rank = id, world.rank
        parallel, workers = world.size > 1, max(1, world.size - 1)
        make_engine: Callable[[], Engine[Job]] = functools.partial(
            Engine, not parallel, parallel, again, bool(fail_fast), workers
        )
        #: what this rank does for the pool: it is main, or one of the others.
        self._member: Member
        if world.rank == 0:
            self._member = Coordinator(ref, id, scaffold, world, make_engine, self._folder)
        else:
            self._member = WorkerRank(ref, id, scaffold, world, make_engine)
        # What jobs ask for, see `PoolOfJobs`.
        self._put = self._member.put
        self._cancel = self._member.cancel
        self._limit = self._member.limit
        self._result_of = self._member.result_of
        self._handed_in = self._member.handed_in
        self._check_not_at_jobs = self._member.check_not_at_jobs
        self._lock: AbstractContextManager[Any] = self._member.lock
        self._checked: Any = check_function  # which is a function
        self._executed = False
        self._closed = False
        # What is left when the pool is, once there is something.
        self._stack: ExitStack | None = None
        # Its folder, once somebody has asked for it.
        self._folder_path: str | None = None

    def __repr__(self) -> str:
        status = self.status.value if self.status else "not opened"
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
        return self._member.status

    @property
    def workflow(self) -> Workflow:
        """The workflow of which this pool is a part."""
        if self._workflow is None:
            self._workflow = Workflow(["main"])
        return self._workflow

    @property
    def _engine(self) -> Engine[Job]:
        return self._member.engine

    @property
    def _manual(self) -> ManualJobs:
        return self._member.manual

    @property
    def jobs(self) -> list[Job]:
        """All jobs, in the order in which they were queued."""
        return list(self._engine.jobs)

    @property
    def parallel(self) -> bool:
        """Whether there is more than one rank."""
        return self._world.size > 1

    @property
    def scheduling(self) -> bool:
        """Whether a scheduler still runs, or has yet to start."""
        return self._member.scheduling

    def is_main(self) -> bool:
        """Return whether this is main, the rank that queues jobs and calls listeners: rank 0.

        :returns: True on main.
        """
        return self._world.rank == 0

    @classmethod
    def get_owner(cls, id: Any) -> Any:
        """Return the owner, on this rank, of an open pool.

        :param id: the id of the pool.
        :returns: the owner.
        :raises JobPoolError: no such pool is open on this rank.
        """
        return find_pool(id).owner

    @classmethod
    def get_tmp_folder(cls, id: Any) -> str:
        """Return the temporary folder, on this rank, of an open pool; it is removed when the pool closes.

        :param id: the id of the pool.
        :returns: the path of the folder.
        :raises JobPoolError: no such pool is open on this rank.
        """
        return str(find_pool(id)._folder())

    # -- opening and closing -----------------------------------------------------------------------

    def __enter__(self) -> JobPool:
        if self._member.status is not None:
            raise JobPoolError(f"Pool {self._id} was opened before: make a new pool for each run.")
        try:
            self._enter()
            return self
        except BaseException as error:
            # What was not entered is not left: Python does not call this then.
            self.__exit__(type(error), error, error.__traceback__)
            raise

    def _enter(self) -> None:
        world, member = self._world, self._member
        if inside.is_inside(world):
            inside.refuse(f"Can't open pool {text_of(self._id)}", world)
        this_world(world)
        member.open()
        put_in(self, world)
        member.is_open = True
        member.opened()
        for listener in member.listeners:
            enter(listener, self._at_exit())
        member.change_status(PoolStatus.SCHEDULING)

    def _at_exit(self) -> ExitStack:
        """What is left when the pool is."""
        if self._stack is None:
            self._stack = ExitStack()
        return self._stack

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if not self._executed and self._member.status is not None:
                self._member.leave_unexecuted(error)
        finally:
            try:
                if self._stack is not None:
                    self._stack.__exit__(kind, error, traceback)
            finally:
                # Twice, so that an interrupt at any place in the one is made good by the other.
                try:
                    self._close()
                finally:
                    self._close()

    def _close(self) -> None:
        """The last thing that happens to a pool: let everybody leave who was not told to, and give back what it holds.

        It can be done again, if it did not get to its end.
        """
        member, channel = self._member, self._member.channel
        if channel is None or self._closed:
            return
        member.is_open = False
        member.status = PoolStatus.CLOSING
        member.let_go()
        take_out(self, self._world)
        channel.close()
        member.dissolve()
        self._closed = True

    def _folder(self) -> str:
        if self._folder_path is None:
            self._folder_path = self._world.folder()
            self._at_exit().callback(shutil.rmtree, self._folder_path, ignore_errors=True)
        return self._folder_path

    # -- listeners ---------------------------------------------------------------------------------

    def add_listener(self, listener: Callable[[PoolProgress], Any], max_wait: float | None = None) -> None:
        """Add a listener, which is called on main with each notification, a `PoolProgress`.

        A listener that is a context manager is entered and left with the pool. A listener that returns a true value
        for a job that failed has handled that error.

        :param listener: the function or other callable.
        :param max_wait: seconds without a notification after which it gets a ping; by default 60.
        :raises TypeError: `listener` is not callable.
        :raises ValueError: `max_wait` is not a number of seconds above 0.

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
            if not self._member.is_open:
                self._member.event_log.add(listener)
            else:
                self._member.record_from_now_on(listener)
            return
        if self._member.is_open:
            enter(listener, self._at_exit())
        self._member.notifier.add(listener, seconds, self._handed_in())
        self._engine.graph.tells_added = self._engine.graph.tells_all = True

    def add_notification(self, notification: PoolProgress) -> None:
        """Queue a notification; `notify` delivers it.

        :param notification: the notification.
        """
        self._member.notifier.line.append(notification)

    def notify(self) -> None:
        """Deliver the queued notifications to all listeners, in order.

        :raises BaseException: a listener or callback raised; the others got the notification nevertheless.
        """
        self._member.notify()

    def ping(self) -> None:
        """Notify listeners that the pool is alive, though nothing has happened for a while."""
        self._member.ping()

    def change_status(self, status: PoolStatus) -> None:
        """Set the pool's status, and notify listeners.

        :param status: the new status.
        """
        self._member.change_status(status)

    def raise_unhandled(self) -> None:
        """Raise the errors that no listener handled, if there are any.

        :raises WorkflowError: with all of them.
        """
        self._member.raise_unhandled()

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

        :param f: the function; on the rank that runs it, it gets the owner of the pool there.
        :param args: its further positional arguments.
        :param kwargs: its keyword arguments.
        :param deps: jobs of this pool that must succeed first.
        :param context: information about the job, which listeners and traces show. Some names are options: `submitter`
            names the job, `cache_items` lists the ids of the cached items that it requires, and `timeout` is the
            number of seconds that it may run (None: no limit; by default the pool's `job_timeout`). A name that is
            easily taken for an option, such as `priority`, is refused; such an entry goes into a dictionary, which is
            given as `context`.
        :returns: the job; on workers a handle, which stays pending unless it is cancelled there.
        :raises TypeError: an argument has the wrong type, or `f` is a coroutine or generator function.
        :raises JobPoolError: the pool is not open, or this is a worker and the pool executes.

        >>> import bsbpool
        >>> with bsbpool.job_pool(quiet=True) as pool:
        ...     first = pool.queue(lambda owner, x: x + 1, (1,), submitter="add", chunk=7)
        ...     last = pool.queue(lambda owner: "after it", deps=[first])
        ...     results = pool.execute(return_results=True)
        ...     first, results[first], results[last]
        (<FunctionJob 0 add (chunk=7)>, 2, 'after it')
        """
        if not context:
            return FunctionJob(self, f, args, kwargs, deps)
        cache_items = context.pop("cache_items", None)
        return FunctionJob(self, f, args, kwargs, deps, cache_items=cache_items, **context)

    def queue_placement(
        self, strategy: Any, chunk: Any, deps: Iterable[Job] | None = None, timeout: float | Inherit | None = INHERIT
    ) -> PlacementJob:
        """Queue the placement of one chunk; see `PlacementJob`.

        :param strategy: the strategy; every rank looks ``strategy.name`` up in its owner's `placement`.
        :param chunk: the chunk.
        :param deps: jobs of this pool that must succeed first.
        :param timeout: seconds that it may run; None: no limit. By default the pool's `job_timeout`.
        :returns: the job, as from `queue`.
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
        """Queue the connection of two regions of interest; see `ConnectivityJob`.

        :param strategy: the strategy; every rank looks ``strategy.name`` up in its owner's `connectivity`.
        :param pre_roi: chunks to connect from; None for all.
        :param post_roi: chunks to connect to; None for all.
        :param deps: jobs of this pool that must succeed first.
        :param timeout: seconds that it may run; None: no limit. By default the pool's `job_timeout`.
        :returns: the job, as from `queue`.
        """
        return ConnectivityJob(self, strategy, pre_roi, post_roi, deps, timeout)

    def get_submissions_of(self, submitter: Any) -> list[Job]:
        """Return the jobs of a submitter.

        :param submitter: the object that was given as `submitter`, or as the strategy.
        :returns: its jobs, in the order in which they were queued.
        """
        return [job for job in self.jobs if job.submitter is submitter]

    def get_required_cache_items(self) -> set[int]:
        """Return the cached items that unfinished jobs require.

        :returns: their ids.
        """
        return {*self._engine.caches.required}

    @property
    def _max_wait(self) -> float:
        """Seconds after which listeners get a ping if nothing happened, under the name that code for BSB uses."""
        return self._member.notifier.max_wait

    @_max_wait.setter
    def _max_wait(self, seconds: float) -> None:
        self._member.notifier.max_wait = seconds

    # -- scheduling --------------------------------------------------------------------------------

    def schedule(self, nodes: Iterable[Any], scheduler: Callable[[Any], Any] | None = None) -> None:
        """Call ``scheduler(node)`` for each node, in order.

        On several ranks, schedulers run while jobs run. On one rank, they run before the first job, one after the
        other; schedulers that are added later run between two jobs. On other ranks than main no scheduler is called.

        :param nodes: the nodes, topologically sorted; a set is sorted by name. A node is not scheduled if its
            `depends_on` has a node that was not scheduled.
        :param scheduler: called with each node; by default ``node.queue(pool)``.
        :raises TypeError: `nodes` is no collection, or `scheduler` is not callable.
        :raises JobPoolError: the pool is not open, or this is a worker and the pool executes.

        >>> import bsbpool
        >>> with bsbpool.job_pool(quiet=True) as pool:
        ...     pool.schedule(["golgi", "granule"], lambda node: pool.queue(lambda owner: None, submitter=node))
        ...     _ = pool.execute()
        ...     pool.jobs
        [<FunctionJob 0 golgi>, <FunctionJob 1 granule>]
        """
        self._member.check_can_queue("schedule")
        each = listed(nodes)
        if each is None:
            raise TypeError(f"nodes lists what is to be scheduled, such as [node]; it is not {shown(nodes)}")
        if scheduler is not None and not callable(scheduler):
            raise TypeError(f"a scheduler is called with each node; {shown(scheduler)} can't be called")
        if isinstance(nodes, Set):
            each.sort(key=name_of)  # BSB hands over sets of hooks, whose order is another one in each process
        self._member.schedule(each, scheduler if scheduler is not None else (lambda node: node.queue(self)))

    # -- executing ---------------------------------------------------------------------------------

    def execute(self, return_results: bool = False) -> dict[Job, Any]:
        """Run the jobs. Every rank calls it; it returns when all jobs and all schedulers have ended.

        :param return_results: whether to return the results.
        :returns: on main, with `return_results`, the results of the jobs that succeeded, by job; otherwise an empty
            dictionary.
        :raises WorkflowError: on main, with all errors that no listener handled; on the other ranks, with a reference
            to main. With `return_results` also if results can't be unpickled on main; its `results` has the others.
        :raises JobPoolContextError: the pool is not open.
        :raises JobPoolError: it was called before.
        """
        if not self._member.is_open:
            raise JobPoolContextError(
                f"Can't execute: pool {self._id} is not open. Use it inside of its `with` block, before that ends."
            )
        if self._executed:
            raise JobPoolError(
                f"Can't execute: pool {self._id} was executed before. Queue all jobs before execute(), or make a new "
                "pool for the others."
            )
        self._executed = True
        with inside.at_work(self._id, self._world):
            self._member.execute()
        return self._all_results() if return_results and self.is_main() else {}

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
