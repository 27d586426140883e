"""The call of a job: what of it travels to a worker, and how the worker calls it.

What jobs are is in `jobs`, how calls are packed in `protocol`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import host
from ..exceptions import JobPoolError
from .checks import check_returned
from .jobs import KINDS, ConnectivityJob, FunctionJob, Job, PlacementJob


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
