"""Jobs: for each class, what is sent to a worker, and what the worker executes.

The statuses of jobs are decided in `engine`; sending jobs to workers belongs in `pool` and `worker`.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import Context
from typing import Any

from ..engine.limits import check_can_change
from ..engine.state import JobState
from ..engine.status import JobStatus
from ..exceptions import JobPoolError
from ..frames import warn
from ..values import listed, name_of, shown, text_of
from .caching import get_node_cache_items
from .checks import INHERIT, Inherit, check_function, check_items, limit_ns, merged
from .no_result import no_result, result_is_elsewhere
from .pool_of_jobs import PoolOfJobs
from .submission import SubmissionContext

_NOTHING: Mapping[str, Any] = {}


#: Job classes by name, for those who know a class by its name only.
KINDS: dict[str, type[Job]] = {}


class Job(JobState, ABC):
    """A function call that a pool assigns to one of its ranks. Derive from it to define another kind of job.

    :param pool: the pool that runs it.
    :param submission_context: who submits it, and further information.
    :param args: positional arguments for `execute` on the worker.
    :param kwargs: keyword arguments for `execute` on the worker.
    :param deps: jobs of the same pool that must succeed first.
    :param cache_items: ids of the cached items that this job requires.
    :param timeout: seconds that it may run; None: no limit. By default the pool's `job_timeout`.
    :raises TypeError: an argument has the wrong type, or the class defines `__eq__` or `__hash__`.

    >>> import bsbpool
    >>> from bsbpool.pool import Job, SubmissionContext
    >>> class Shout(Job):
    ...     @staticmethod
    ...     def execute(job_owner, args, kwargs):
    ...         return args[0].upper()
    >>> with bsbpool.job_pool(quiet=True) as pool:
    ...     job = Shout(pool, SubmissionContext("shout"), ("golgi",), {})
    ...     _ = pool.execute()
    ...     job, job.status.value, job.result
    (<Shout 0 shout>, 'success', 'GOLGI')
    """

    # What a submission context says is kept here, without the object: pools have many jobs. Users may set attributes
    # of their own, and refer to jobs weakly.
    __slots__ = (
        "__dict__", "__weakref__",
        "_args", "_chunks", "_context", "_kwargs", "_payload", "_result", "_submitter", "_variables",
    )  # fmt: skip

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Those of this module come first, and stay what their names mean.
        if cls.__module__ == __name__ or getattr(KINDS.get(cls.__name__), "__module__", None) != __name__:
            KINDS[cls.__name__] = cls

    def __init__(
        self,
        pool: PoolOfJobs[Job],
        submission_context: SubmissionContext,
        args: Any,
        kwargs: Any,
        deps: Iterable[Job] | None = None,
        cache_items: Sequence[int] | None = None,
        timeout: float | Inherit | None = INHERIT,
    ):
        context = submission_context
        self._submit(
            pool, context._submitter, context._chunks, context._context, args, kwargs, deps, cache_items, timeout
        )

    def _submit(
        self,
        pool: PoolOfJobs[Job],
        submitter: Any,
        chunks: Any,
        context: Mapping[str, Any],
        args: Any,
        kwargs: Any,
        deps: Iterable[Job] | None,
        cache_items: Sequence[int] | None,
        timeout: float | Inherit | None,
    ) -> None:
        """Fill in what a job has, and queue it. There may be very many: no object is made on the way."""
        kind = type(self)
        if kind is not FunctionJob and (kind.__eq__ is not object.__eq__ or kind.__hash__ is not object.__hash__):
            raise TypeError(
                f"{kind.__name__} defines __eq__ or __hash__, but a pool tells jobs apart by which object they are: "
                "leave both out (for a dataclass: eq=False)"
            )
        JobState.__init__(self, () if cache_items is None else check_items(cache_items))
        self._pool_ref = pool._ref
        self._limit = pool._job_limit if timeout is INHERIT else limit_ns("timeout", timeout)
        self._submitter = submitter
        self._chunks = chunks
        self._context: Mapping[str, Any] = context or _NOTHING
        self._args = args
        self._kwargs = kwargs
        self._payload: Any = None
        self._result: Any = None
        #: the context variables with which it runs in this process; None: those of where it is run.
        self._variables: Context | None = None
        pool._put(self, deps)

    @property
    def timeout(self) -> float | None:
        """Seconds that the job may run on its rank; None: no limit. Can be set until the job starts.

        At the limit the job is interrupted, and becomes aborted, with a `JobTimeoutError`. :meth:`run` ignores it.
        """
        return None if self._limit is None else self._limit / 1e9

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        limit, pool = limit_ns("timeout", seconds), self._pool_ref()
        if pool is None:
            check_can_change(self, False)
            self._limit = limit
        else:
            pool._limit(self, limit)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id} {self.description}>"

    # -- what it is --------------------------------------------------------------------------------

    @property
    def id(self) -> int:
        """The index of this job among the jobs of its pool, from 0."""
        return self._id

    @property
    def pool_id(self) -> Any:
        """The id of its pool."""
        return self._pool_ref.id

    @property
    def _pool(self) -> PoolOfJobs[Job]:
        """Its pool.

        :raises JobPoolError: that is closed, and nobody refers to it any more.
        """
        pool: PoolOfJobs[Job] | None = self._pool_ref()
        if pool is None:
            raise JobPoolError(f"{self} is as it is: its pool {self.pool_id} is closed.")
        return pool

    @property
    def name(self) -> str:
        """The name of its submitter."""
        return name_of(self._submitter)

    @property
    def description(self) -> str:
        """The name, and in brackets the context if it has one."""
        if not self._context:
            return self.name
        return f"{self.name} ({', '.join(f'{k}={text_of(v)}' for k, v in self._context.items())})"

    @property
    def submitter(self) -> Any:
        """The object that submitted it."""
        return self._submitter

    @property
    def context(self) -> dict[str, Any]:
        """The information that was given on submission (a copy)."""
        return dict(self._context)

    @property
    def _deps(self) -> set[Job]:
        """The jobs that it still waits for; code written for BSB reads this name."""
        pool = self._pool_ref()
        return set() if pool is None else {*pool._engine.graph.open_dependencies(self)}

    # -- what became of it -------------------------------------------------------------------------

    @property
    def status(self) -> JobStatus:
        """The status now."""
        return self._status

    @property
    def error(self) -> BaseException | None:
        """The reason why it did not succeed; None as long as there is none."""
        return self._error

    @property
    def result(self) -> Any:
        """The return value of the job.

        :raises JobPoolError: the job has not succeeded, or its pool is closed.
        """
        pool, rank = self._pool_ref(), self._pool_ref.rank
        if pool is not None:
            return pool._result_of(self)
        raise result_is_elsewhere(self, rank) if rank else no_result(self, self.pool_id, False)

    # -- what it does ------------------------------------------------------------------------------

    def serialize(self) -> tuple[str, Any, Any]:
        """Return what a worker needs to execute the job.

        :returns: the name of the class, args and kwargs; the worker passes the last two to `execute`.
        """
        return type(self).__name__, self._args, self._kwargs

    @staticmethod
    @abstractmethod
    def execute(job_owner: Any, args: Any, kwargs: Any) -> Any:
        """Execute the job; called on the worker.

        :param job_owner: the owner of the pool on that rank.
        :param args: the second item of `serialize()`.
        :param kwargs: the third item of `serialize()`.
        :returns: the result of the job.
        """

    def run(self, timeout: float | None = None) -> bool:
        """Execute the job in this process, in a thread, and return whether it is still running.

        :param timeout: seconds to wait for its end; None: until it ends.
        :returns: whether it is still running.
        :raises JobPoolError: it can't start: a dependency has not succeeded, or the job has ended.
        """
        return self._pool._manual.run(self, timeout)

    def on_completion(self, callback: Callable[[Job], Any]) -> None:
        """Call a function on main when the job has ended; immediately if it has ended already.

        :param callback: called with the job.
        :raises TypeError: it is not callable.
        :raises JobPoolError: it was called within a job.
        """
        if not callable(callback):
            raise TypeError(f"on_completion takes a function of a job, not {shown(callback)}")
        pool = self._pool_ref()
        if pool is None:
            ended = self._status.ended
        else:
            pool._check_not_at_jobs("wait for the end of a job")
            run: Callable[..., Any] = pool._handed_in().run
            call = functools.partial(run, callback)
            with pool._lock:  # it may be about to end
                ended = self._status.ended
                if not ended:
                    if self._callbacks is None:
                        self._callbacks = []
                    self._callbacks.append(call)
        if ended:
            callback(self)

    def set_result(self, value: Any) -> None:
        """End a running job with success.

        :param value: its result.
        :raises JobPoolError: it does not run.
        """
        self._pool._manual.finish(self, value, None)

    def set_exception(self, error: BaseException) -> None:
        """End a running job with failure.

        :param error: its error.
        :raises JobPoolError: it does not run.
        """
        self._pool._manual.finish(self, None, error)

    def change_status(self, status: JobStatus) -> None:
        """Set the status.

        :param status: the new status.
        :raises JobPoolError: that status can't follow the present one.
        """
        self._pool._manual.set_status(self, status)

    def cancel(self, reason: str | None = None) -> None:
        """Cancel the job and the jobs that depend on it. One that runs or has ended stays as it is, with a warning.

        :param reason: the text of the job's `JobCancelledError`.
        :raises JobPoolError: it was called on a worker of a pool that executes: main has the job.

        >>> import bsbpool
        >>> with bsbpool.job_pool(quiet=True) as pool:
        ...     job = pool.queue(print)
        ...     job.cancel("the data did not come")
        ...     _ = pool.execute()
        >>> job.status.value, job.error
        ('cancelled', JobCancelledError('the data did not come'))
        """
        pool = self._pool_ref()
        # Without its pool, a job of main has ended; on another rank, it is main's to cancel.
        cancelled = self._pool_ref.rank > 0 if pool is None else pool._cancel(self, reason)
        if not cancelled:
            state = "is already running" if self._status is JobStatus.RUNNING else f"has ended ({self._status.value})"
            warn(f"Could not cancel {self}: the job {state}.")


class FunctionJob(Job):
    """Calls ``f(owner, *args, **kwargs)``.

    :param pool: the pool that runs it.
    :param f: the function; on each rank it gets the owner of the pool there.
    :param args: its further positional arguments; None: none.
    :param kwargs: its keyword arguments; None: none.
    :param deps: jobs of the same pool that must succeed first.
    :param cache_items: ids of the cached items that this job requires.
    :param context: information about the job, which listeners and traces show. `submitter`, `chunks` and `timeout` are
        options of the job; other names that look like options are given as ``context={"priority": 3}``.
    :raises TypeError: an argument has the wrong type, or a call of `f` would run nothing: it is a coroutine function, a
        generator function or the like.
    """

    __slots__ = ("_function",)

    def __init__(
        self,
        pool: PoolOfJobs[Job],
        f: Callable[..., Any],
        args: Sequence[Any] | None,
        kwargs: Mapping[str, Any] | None,
        deps: Iterable[Job] | None = None,
        cache_items: Sequence[int] | None = None,
        **context: Any,
    ):
        if f is not pool._checked:  # in a row, mostly all jobs have the same
            check_function(f)
            pool._checked = f
        arguments = () if args is None else listed(args)
        if arguments is None:
            raise TypeError(
                f"args is the sequence of arguments for {shown(f)}, such as ({shown(args)},), not {shown(args)}"
            )
        named = _NOTHING if kwargs is None else dict(kwargs) if isinstance(kwargs, Mapping) else None
        if named is None or (named and not all(isinstance(name, str) for name in named)):
            raise TypeError(
                f"kwargs maps names of arguments of {shown(f)} to values, such as {{'x': 1}}; it is not {shown(kwargs)}"
            )
        self._function = f
        timeout, submitter, chunks = INHERIT, f, None
        if context:
            timeout, submitter = context.pop("timeout", INHERIT), context.pop("submitter", f)
            # As in a `SubmissionContext`, chunks are no entry of the context.
            chunks = context.pop("chunks", None)
            context = merged(context, context.pop("context", None))
        self._submit(pool, submitter, chunks, context, tuple(arguments), named or _NOTHING, deps, cache_items, timeout)

    def serialize(self) -> tuple[str, Any, Any]:
        """Return what a worker needs to execute the job.

        :returns: the name of the class, the function and its arguments, and the keyword arguments.
        """
        return "FunctionJob", (self._function, self._args), self._kwargs

    @staticmethod
    def execute(job_owner: Any, args: Any, kwargs: Any) -> Any:
        """Execute the job; called on the worker.

        :param job_owner: the owner of the pool on that rank.
        :param args: the function and its arguments.
        :param kwargs: keyword arguments.
        :returns: the result of the job.
        """
        function, arguments = args
        return function(job_owner, *arguments, **kwargs)


class PlacementJob(Job):
    """Places the cells of one chunk with a placement strategy of the owner.

    :param pool: the pool that runs it.
    :param strategy: the strategy; every rank looks ``strategy.name`` up in its owner's `placement`.
    :param chunk: the chunk to place.
    :param deps: jobs of the same pool that must succeed first.
    :param timeout: seconds that it may run; None: no limit. By default the pool's `job_timeout`.

    >>> from bsbpool import Owner
    >>> class Golgi:
    ...     name = "golgi"
    ...     def get_node_name(self):
    ...         return "golgi"
    ...     def get_indicators(self):
    ...         return {}
    ...     def place(self, chunk, indicators):
    ...         return f"cells of chunk {chunk}"
    >>> owner = Owner(placement={"golgi": Golgi()})
    >>> with owner.create_job_pool(quiet=True) as pool:
    ...     job = pool.queue_placement(owner.placement["golgi"], 3)
    ...     _ = pool.execute()
    ...     job, job.result
    (<PlacementJob 0 golgi>, 'cells of chunk 3')
    """

    __slots__ = ()

    def __init__(
        self,
        pool: PoolOfJobs[Job],
        strategy: Any,
        chunk: Any,
        deps: Iterable[Job] | None = None,
        timeout: float | Inherit | None = INHERIT,
    ):
        submission = SubmissionContext(strategy, [chunk])
        args = (strategy.name, chunk)
        super().__init__(pool, submission, args, _NOTHING, deps, get_node_cache_items(strategy), timeout)

    @staticmethod
    def execute(job_owner: Any, args: Any, kwargs: Any) -> Any:
        """Execute the job; called on the worker.

        :param job_owner: the owner of the pool on that rank.
        :param args: the name of the strategy, and the chunk.
        :param kwargs: keyword arguments.
        :returns: the result of the job.
        """
        name, chunk = args
        placement = job_owner.placement[name]
        indicators = placement.get_indicators()
        return placement.place(chunk, indicators, **kwargs)


class ConnectivityJob(Job):
    """Connects two regions of interest with a connectivity strategy of the owner.

    :param pool: the pool that runs it.
    :param strategy: the strategy; every rank looks ``strategy.name`` up in its owner's `connectivity`.
    :param pre_roi: chunks to connect from; None for all.
    :param post_roi: chunks to connect to; None for all.
    :param deps: jobs of the same pool that must succeed first.
    :param timeout: seconds that it may run; None: no limit. By default the pool's `job_timeout`.

    >>> from bsbpool import Owner
    >>> class GolgiToGranule:
    ...     name = "golgi_granule"
    ...     def get_node_name(self):
    ...         return "golgi_granule"
    ...     def _get_connect_args_from_job(self, pre_roi, post_roi):
    ...         return pre_roi, post_roi
    ...     def connect(self, pre, post):
    ...         return f"{len(pre)} chunks to {len(post)}"
    >>> owner = Owner(connectivity={"golgi_granule": GolgiToGranule()})
    >>> with owner.create_job_pool(quiet=True) as pool:
    ...     job = pool.queue_connectivity(owner.connectivity["golgi_granule"], [0, 1], [2])
    ...     _ = pool.execute()
    ...     job.result
    '2 chunks to 1'
    """

    __slots__ = ()

    def __init__(
        self,
        pool: PoolOfJobs[Job],
        strategy: Any,
        pre_roi: Any,
        post_roi: Any,
        deps: Iterable[Job] | None = None,
        timeout: float | Inherit | None = INHERIT,
    ):
        pre_roi, post_roi = (list(roi) if isinstance(roi, Iterator) else roi for roi in (pre_roi, post_roi))
        chunks = [chunk for roi in (pre_roi, post_roi) if roi is not None for chunk in roi]
        submission = SubmissionContext(strategy, chunks)
        args = (strategy.name, pre_roi, post_roi)
        super().__init__(pool, submission, args, _NOTHING, deps, get_node_cache_items(strategy), timeout)

    @staticmethod
    def execute(job_owner: Any, args: Any, kwargs: Any) -> Any:
        """Execute the job; called on the worker.

        :param job_owner: the owner of the pool on that rank.
        :param args: the name of the strategy, and the two regions of interest.
        :param kwargs: keyword arguments.
        :returns: the result of the job.
        """
        name, *regions = args
        connectivity = job_owner.connectivity[name]
        collections = connectivity._get_connect_args_from_job(*regions)
        return connectivity.connect(*collections, **kwargs)
