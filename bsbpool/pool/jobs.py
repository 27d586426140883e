"""Jobs: what each kind carries to a worker, and what it does there.

What becomes of a job is decided in `engine`, and how it gets to a worker in `pool` and `worker`.
"""

from __future__ import annotations

import enum
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from contextvars import Context
from typing import Any, Protocol

from .. import host
from ..engine.engine import Engine, JobState
from ..engine.status import JobStatus
from ..exceptions import JobPoolError
from ..frames import warn
from ..values import listed, name_of, positive, shown, text_of, whole_number
from .caching import get_node_cache_items
from .checks import check_function, check_returned, merged

_NOTHING: Mapping[str, Any] = {}


class _ManualJobs(Protocol):
    def run(self, job: Job, timeout: float | None) -> bool: ...
    def finish(self, job: Job, value: Any, error: BaseException | None) -> None: ...
    def set_status(self, job: Job, status: JobStatus) -> None: ...


class PoolOfJobs(Protocol):
    """What a job needs of the pool that it is a part of: `bsbpool.pool.JobPool` has it."""

    @property
    def id(self) -> Any: ...
    @property
    def owner(self) -> Any: ...
    @property
    def _engine(self) -> Engine: ...
    @property
    def _lock(self) -> AbstractContextManager[Any]: ...
    @property
    def _manual(self) -> _ManualJobs: ...
    @property
    def _job_limit(self) -> int | None: ...

    def _put(self, job: Job, deps: Iterable[Job] | None) -> None: ...
    def _limit(self, job: Job, limit: int | None) -> None: ...
    def _cancel(self, job: Job, reason: str | None) -> bool: ...
    def _result_of(self, job: Job) -> Any: ...
    def _handed_in(self) -> Context: ...
    def _check_not_at_jobs(self, what: str) -> None: ...


class Inherit(enum.Enum):
    """In place of a number of seconds: a job's time limit is the pool's."""

    INHERIT = "INHERIT"

    def __repr__(self) -> str:
        return self.value


INHERIT = Inherit.INHERIT


def limit_ns(what: str, seconds: float | None) -> int | None:
    """A time limit as nanoseconds.

    :raises ValueError: it is no number above 0.
    """
    if seconds is None:
        return None
    number = positive(seconds)
    if number is None:
        raise ValueError(f"{what} is a number of seconds above 0, or None for no limit, not {shown(seconds)}")
    return None if number == math.inf else max(1, round(number * 1e9))


def _check_items(cache_items: Any) -> Sequence[int]:
    if cache_items is None:
        return ()
    items = listed(cache_items)
    numbers = [whole_number(item) for item in items] if items is not None else [None]
    if None in numbers:
        raise TypeError(
            "cache_items lists ids of cached items, which are integers, as get_node_cache_items() gives them; it is "
            f"not {shown(cache_items)}"
        )
    return numbers  # type: ignore[return-value]


def check_dependencies(job: Job, deps: Iterable[Job]) -> list[Job]:
    """The jobs that a new job depends on.

    :raises TypeError: they are no list.
    :raises JobPoolError: one of them is no job of the same pool.
    """
    if isinstance(deps, Mapping):  # `dict.fromkeys(jobs)` is a set that keeps its order
        deps = [*deps]
    dependencies: list[Job] | None = None if isinstance(deps, Job) else listed(deps)
    if dependencies is None:
        raise TypeError(
            f"deps lists the jobs that {job.description} depends on, such as [job]; it is not {shown(deps)}"
        )
    if isinstance(deps, Set):
        # BSB hands over sets, whose order is another one in each process. What is no job is refused below.
        dependencies.sort(key=lambda each: each._id if isinstance(each, JobState) else -1)
    for dependency in dependencies:
        # An `JobState`, since to ask whether it is a `Job`, which is an abstract class, takes much longer.
        if isinstance(dependency, JobState) and dependency._pool is job._pool:
            continue
        if not isinstance(dependency, Job):
            raise JobPoolError(
                f"A dependency of {job.description} is no job but {shown(dependency)}: deps lists jobs that this pool "
                "queued."
            )
        raise JobPoolError(
            f"{job.description} can't depend on {dependency}, a job of pool {dependency.pool_id}: dependencies "
            f"are jobs of the same pool, here {job.pool_id}."
        )
    return dependencies


class SubmissionContext:
    """Who submitted a job, and what about it is worth saying.

    :param submitter: whoever submits; its `get_node_name()`, if it has one, names the job.
    :param chunks: the chunks that the job is about.
    :param kwargs: what else is worth saying; each entry is an attribute, too.

    >>> from bsbpool.pool import SubmissionContext
    >>> context = SubmissionContext("golgi", chunks=[(0, 0, 1)], attempt=2)
    >>> context.name, context.attempt, context.context
    ('golgi', 2, {'attempt': 2})
    """

    __slots__ = ("_chunks", "_context", "_submitter")

    def __init__(self, submitter: Any, chunks: Any = None, **kwargs: Any):
        self._submitter = submitter
        self._chunks = chunks
        self._context = kwargs

    @property
    def name(self) -> str:
        """The submitter's node name, or its text."""
        return name_of(self._submitter)

    @property
    def submitter(self) -> Any:
        """Who submitted."""
        return self._submitter

    @property
    def chunks(self) -> Any:
        """The chunks that the job is about; in BSB a sorted list of its `Chunk`."""
        return host.chunks_of(self._chunks)

    @property
    def context(self) -> dict[str, Any]:
        """A copy of the context."""
        return dict(self._context)

    def __getattr__(self, name: str) -> Any:
        if name not in SubmissionContext.__slots__ and name in self._context:
            return self._context[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}, nor has its context")


#: Job classes by name, for those who know a class by its name only.
KINDS: dict[str, type[Job]] = {}


class Job(JobState, ABC):
    """A function call that a pool hands to one of its ranks. Derive from it to make your own kind.

    :param pool: the pool that it becomes a part of.
    :param submission_context: who submits it.
    :param args: positional arguments, handed to `execute` on the worker.
    :param kwargs: keyword arguments, handed to `execute` on the worker.
    :param deps: jobs of the same pool that have to succeed first.
    :param cache_items: ids of the cached items that this job requires.
    :param timeout: seconds that it may run for; None: any time. By default the pool's `job_timeout`.
    :raises TypeError: an argument is not what it has to be, or the class defines `__eq__` or `__hash__`.
    :raises JobPoolError: the pool is not open, or a dependency is no job of it.

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
        pool: PoolOfJobs,
        submission_context: SubmissionContext,
        args: Any,
        kwargs: Any,
        deps: Iterable[Job] | None = None,
        cache_items: Sequence[int] | None = None,
        timeout: float | Inherit | None = INHERIT,
    ):
        kind = type(self)
        if kind.__eq__ is not object.__eq__ or kind.__hash__ is not object.__hash__:
            raise TypeError(
                f"{kind.__name__} defines __eq__ or __hash__, but a pool tells jobs apart by which object they are: "
                "leave both out (for a dataclass: eq=False)"
            )
        super().__init__(_check_items(cache_items))
        self._pool = pool
        self._limit = pool._job_limit if timeout is INHERIT else limit_ns("timeout", timeout)
        self._submitter = submission_context._submitter
        self._chunks = submission_context._chunks
        self._context: Mapping[str, Any] = submission_context._context or _NOTHING
        self._args = args
        self._kwargs = kwargs
        self._payload: Any = None
        self._result: Any = None
        #: the context variables with which it runs in this process; None: those of where it is run.
        self._variables: Context | None = None
        pool._put(self, deps)

    @property
    def timeout(self) -> float | None:
        """Seconds that it may run for on its rank; None: any time. Can be set until it starts.

        Past it the job is interrupted, and becomes aborted, with a `JobTimeoutError`. :meth:`run` does not keep it.
        """
        return None if self._limit is None else self._limit / 1e9

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._pool._limit(self, limit_ns("timeout", seconds))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id} {self.description}>"

    # -- what it is --------------------------------------------------------------------------------

    @property
    def id(self) -> int:
        """The place of this job among those of its pool, from 0."""
        return self._id

    @property
    def pool_id(self) -> Any:
        """The id of its pool."""
        return self._pool.id

    @property
    def name(self) -> str:
        """The name of who submitted it."""
        return name_of(self._submitter)

    @property
    def description(self) -> str:
        """The name, and the context in brackets if there is any."""
        if not self._context:
            return self.name
        return f"{self.name} ({', '.join(f'{k}={text_of(v)}' for k, v in self._context.items())})"

    @property
    def submitter(self) -> Any:
        """Who submitted it."""
        return self._submitter

    @property
    def context(self) -> dict[str, Any]:
        """What was said about it on submission."""
        return dict(self._context)

    @property
    def _deps(self) -> set[Job]:
        """The jobs that it still waits for, under the name that code written for BSB uses."""
        return {*self._pool._engine.open_dependencies(self)}  # type: ignore[arg-type]

    # -- what became of it -------------------------------------------------------------------------

    @property
    def status(self) -> JobStatus:
        """Where it is on its way."""
        return self._status

    @property
    def error(self) -> BaseException | None:
        """Why it did not succeed."""
        return self._error

    @property
    def result(self) -> Any:
        """What it returned.

        :raises JobPoolError: it has not succeeded, or its pool was closed.
        """
        return self._pool._result_of(self)

    # -- what it does ------------------------------------------------------------------------------

    def serialize(self) -> tuple[str, Any, Any]:
        """What a worker is told of it.

        :returns: the name of its class, and what `execute` gets on the worker: args and kwargs.
        """
        return type(self).__name__, self._args, self._kwargs

    @staticmethod
    @abstractmethod
    def execute(job_owner: Any, args: Any, kwargs: Any) -> Any:
        """Do the job, on the worker.

        :param job_owner: the owner of the pool on that rank.
        :param args: the job's positional arguments.
        :param kwargs: the job's keyword arguments.
        :returns: the job's result.
        """

    def run(self, timeout: float | None = None) -> bool:
        """Execute the job on the current process, in a thread.

        :param timeout: seconds to wait for its end; None waits until it comes.
        :returns: whether the job is still running.
        :raises JobPoolError: it can't start: its dependencies have not succeeded, or it has ended.
        """
        return self._pool._manual.run(self, timeout)

    def on_completion(self, callback: Callable[[Job], Any]) -> None:
        """Call ``callback(job)`` on main when the job has ended; at once if it has.

        :param callback: a function of a job.
        :raises TypeError: it can't be called.
        :raises JobPoolError: this is a worker, and the pool executes.
        """
        if not callable(callback):
            raise TypeError(f"on_completion takes a function of a job, not {shown(callback)}")
        self._pool._check_not_at_jobs("wait for the end of a job")
        run: Callable[..., Any] = self._pool._handed_in().run
        call = functools.partial(run, callback)
        with self._pool._lock:  # it may be about to end
            ended = self._status.ended
            if not ended:
                if self._callbacks is None:
                    self._callbacks = []
                self._callbacks.append(call)
        if ended:
            callback(self)

    def set_result(self, value: Any) -> None:
        """The running job succeeded with this result.

        :param value: the result.
        :raises JobPoolError: it does not run.
        """
        self._pool._manual.finish(self, value, None)

    def set_exception(self, error: BaseException) -> None:
        """The running job failed with this exception.

        :param error: the exception.
        :raises JobPoolError: it does not run.
        """
        self._pool._manual.finish(self, None, error)

    def change_status(self, status: JobStatus) -> None:
        """Set the status.

        :param status: the status that it takes.
        :raises JobPoolError: that status can't follow the present one.
        """
        self._pool._manual.set_status(self, status)

    def cancel(self, reason: str | None = None) -> None:
        """Cancel the job, and what depends on it. One that runs or has ended stays what it is, with a warning.

        :param reason: what its `error` says.
        :raises JobPoolError: this is a worker, and the pool executes: main has the job.

        >>> import bsbpool
        >>> with bsbpool.job_pool(quiet=True) as pool:
        ...     job = pool.queue(print)
        ...     job.cancel("the data did not come")
        ...     _ = pool.execute()
        >>> job.status.value, job.error
        ('cancelled', JobCancelledError('the data did not come'))
        """
        if not self._pool._cancel(self, reason):
            state = "is already running" if self._status is JobStatus.RUNNING else f"has ended ({self._status.value})"
            warn(f"Could not cancel {self}: the job {state}.")


class FunctionJob(Job):
    """Calls ``f(owner, *args, **kwargs)``; `JobPool.queue` makes one.

    Of what `context` holds, `submitter` and `timeout` are about the job.

    :param pool: the pool that it becomes a part of.
    :param f: the function.
    :param args: its positional arguments, after the owner.
    :param kwargs: its keyword arguments.
    :param deps: jobs of the same pool that have to succeed first.
    :param cache_items: ids of the cached items that this job requires.
    :param context: what is worth saying about it. An entry whose name looks like an option is given as
        ``context={"priority": 3}``.
    :raises TypeError: an argument is not what it has to be, or `f` is a coroutine function, a generator function or
        another one whose call alone runs nothing.
    """

    __slots__ = ("_function",)

    def __init__(
        self,
        pool: PoolOfJobs,
        f: Callable[..., Any],
        args: Sequence[Any] | None,
        kwargs: Mapping[str, Any] | None,
        deps: Iterable[Job] | None = None,
        cache_items: Sequence[int] | None = None,
        **context: Any,
    ):
        check_function(f)
        arguments = () if args is None else listed(args)
        if arguments is None:
            raise TypeError(
                f"args is the sequence of arguments for {shown(f)}, such as ({shown(args)},), not {shown(args)}"
            )
        named = _NOTHING if kwargs is None else dict(kwargs) if isinstance(kwargs, Mapping) else None
        if named is None or not all(isinstance(name, str) for name in named):
            raise TypeError(
                f"kwargs maps names of arguments of {shown(f)} to values, such as {{'x': 1}}; it is not {shown(kwargs)}"
            )
        timeout, submitter = context.pop("timeout", INHERIT), context.pop("submitter", f)
        # As in a `SubmissionContext`, chunks are no entry of the context.
        submission = SubmissionContext(submitter, context.pop("chunks", None))
        submission._context = merged(context, context.pop("context", None))
        self._function = f
        super().__init__(pool, submission, tuple(arguments), named or _NOTHING, deps, cache_items, timeout)

    def serialize(self) -> tuple[str, Any, Any]:
        """As `Job.serialize`; the function comes with its arguments."""
        return "FunctionJob", (self._function, self._args), self._kwargs

    @staticmethod
    def execute(job_owner: Any, args: Any, kwargs: Any) -> Any:
        """Call the function; see `Job.execute`."""
        function, arguments = args
        return function(job_owner, *arguments, **kwargs)


class PlacementJob(Job):
    """Places the cells of one chunk with a placement strategy of the owner.

    :param pool: the pool that it becomes a part of.
    :param strategy: what is under ``strategy.name`` in the owner's `placement`, on every rank.
    :param chunk: the chunk to place.
    :param deps: jobs of the same pool that have to succeed first.
    :param timeout: seconds that it may run for; None: any time. By default the pool's `job_timeout`.

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
        pool: PoolOfJobs,
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
        """Call the strategy's ``place(chunk, indicators)``; see `Job.execute`."""
        name, chunk = args
        placement = job_owner.placement[name]
        indicators = placement.get_indicators()
        return placement.place(chunk, indicators, **kwargs)


class ConnectivityJob(Job):
    """Connects two regions of interest with a connectivity strategy of the owner.

    :param pool: the pool that it becomes a part of.
    :param strategy: what is under ``strategy.name`` in the owner's `connectivity`, on every rank.
    :param pre_roi: chunks to connect from; None for all.
    :param post_roi: chunks to connect to; None for all.
    :param deps: jobs of the same pool that have to succeed first.
    :param timeout: seconds that it may run for; None: any time. By default the pool's `job_timeout`.

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
        pool: PoolOfJobs,
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
        """Call the strategy's ``connect(…)``; see `Job.execute`."""
        name, *regions = args
        connectivity = job_owner.connectivity[name]
        collections = connectivity._get_connect_args_from_job(*regions)
        return connectivity.connect(*collections, **kwargs)


def call_to_send(job: Job) -> tuple[Any, Any, Any]:
    """What a worker needs of a job: what to call, args and kwargs.

    That is the function of a `FunctionJob`, the name of another class that comes with the library, or a class.
    """
    if type(job) is FunctionJob:
        return job._function, job._args, job._kwargs
    kind, args, kwargs = job.serialize()
    return (kind if type(job) in (PlacementJob, ConnectivityJob) else type(job)), args, kwargs


def bind(call: tuple[Any, Any, Any], owner: Any) -> Callable[[], Any]:
    """What does the job that `call_to_send` gave.

    :raises JobPoolError: there is no such kind of job.
    """
    called, args, kwargs = call
    if isinstance(called, str) or (isinstance(called, type) and issubclass(called, Job)):
        function = functools.partial(find_kind(called).execute, owner, args, kwargs)
    else:
        function = functools.partial(called, owner, *args, **kwargs)
    if host.current is not None:
        function = functools.partial(host.current.run_job, function)
    return lambda: check_returned(function())


def find_kind(kind: Any) -> type[Job]:
    """The job class for what `Job.serialize` gave.

    :raises JobPoolError: there is none of that name.
    """
    if isinstance(kind, str):
        try:
            return KINDS[kind]
        except KeyError:
            raise JobPoolError(
                f"no job class is named {kind!r}; those that this process knows: {', '.join(KINDS)}"
            ) from None
    found: type[Job] = kind
    return found
