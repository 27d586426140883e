"""The call of a job: the parts that are sent to a worker, and how the worker calls it.

Jobs belong in `jobs`, and packing in `protocol`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

from .. import host
from ..exceptions import JobPoolError
from .caching import free_stale_pool_cache
from .checks import check_returned
from .jobs import KINDS, ConnectivityJob, FunctionJob, Job, PlacementJob
from .open_pools import find_pool


def call_to_send(job: Job) -> tuple[Any, Any, Any]:
    """Return what a worker needs of a job: the callable, args and kwargs.

    That is the function of a `FunctionJob`, the name of another class that comes with the library, or a class.
    """
    if type(job) is FunctionJob:
        return job._function, job._args, job._kwargs
    kind, args, kwargs = job.serialize()
    return (kind if type(job) in (PlacementJob, ConnectivityJob) else type(job)), args, kwargs


def bind(call: tuple[Any, Any, Any], owner: Any) -> Callable[[], Any]:
    """Return a callable that executes the call that `call_to_send` returned.

    :raises JobPoolError: there is no such kind of job.
    """
    called, args, kwargs = call
    if type(called) is FunctionType and host.current is None:  # most of them
        if args or kwargs:
            return functools.partial(_call, called, owner, *args, **kwargs)
        return functools.partial(_call_with_owner, called, owner)
    if isinstance(called, str) or (isinstance(called, type) and issubclass(called, Job)):
        function = functools.partial(find_kind(called).execute, owner, args, kwargs)
    else:
        function = functools.partial(called, owner, *args, **kwargs)
    if host.current is not None:
        function = functools.partial(host.current.run_job, function)
    return functools.partial(_call, function)


def _call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call what a job calls, and see that it has returned something."""
    return check_returned(function(*args, **kwargs))


def _call_with_owner(function: Callable[[Any], Any], owner: Any) -> Any:
    """The same for a function that gets nothing else: Python calls it in half of the time."""
    value = function(owner)
    return value if value is None else check_returned(value)


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


def dispatcher(pool_id: Any, job_args: tuple[Any, Any, Any]) -> Any:
    """Run a job of an open pool on this rank, after freeing the cached items that no unfinished job requires.

    :param pool_id: the id of the pool.
    :param job_args: what `Job.serialize` returned.
    :returns: the result of the job.
    :raises JobPoolError: no such pool is open on this rank, or there is no such kind of job.

    >>> from bsbpool import JobPool, Owner
    >>> from bsbpool.pool import dispatcher
    >>> with JobPool("by hand", Owner()) as pool:
    ...     job = pool.queue(lambda owner, x: x * x, (3,))
    ...     dispatcher("by hand", job.serialize())
    ...     _ = pool.execute()
    9
    """
    pool = find_pool(pool_id)
    kind, args, kwargs = job_args
    free_stale_pool_cache(pool.owner, pool.get_required_cache_items())
    return check_returned(find_kind(kind).execute(pool.owner, args, kwargs))
