"""The errors of the library. Functions document which of them they raise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = [
    "DependencyError",
    "JobAbortedError",
    "JobCancelledError",
    "JobErroredError",
    "JobInterrupted",
    "JobPoolContextError",
    "JobPoolError",
    "JobSchedulingError",
    "JobTimeoutError",
    "RankLostError",
    "RemoteError",
    "TraceError",
    "WorkflowError",
]


class _Error(Exception):
    """Where our errors can be put below those of a framework: Python lets no class change that it has the bases
    `Exception` alone. See `bsbpool.bsb`.
    """


class JobPoolError(_Error):
    """A job pool failed, or was used wrongly. Base of the pool's errors."""


class JobPoolContextError(JobPoolError):
    """A pool was used outside its ``with`` block."""


class JobCancelledError(JobPoolError):
    """A job was cancelled before it started; the `error` of a cancelled job."""


class JobAbortedError(JobPoolError):
    """A job started and could not finish; the `error` of an aborted job."""


class RankLostError(JobAbortedError):
    """A rank died, or left the pool early."""


class JobTimeoutError(JobAbortedError):
    """A job exceeded its time limit. Its notes hold the stack of the job at that moment."""


class JobInterrupted(BaseException):
    """Raised inside a job that has reached its time limit, at whatever statement it executes.

    It does not derive from `Exception`, so ``except Exception`` does not catch it. Clean up in ``finally``, and do not
    swallow it: while the job continues, the pool can't use its rank.
    """


class JobSchedulingError(JobPoolError):
    """A node was not scheduled: its scheduler raised, or a node that it depends on was not scheduled."""


class RemoteError(JobPoolError):
    """Replaces an exception of another rank that can't be pickled. The message has its type and text."""


class DependencyError(_Error):
    """An optional dependency is missing; the message says how to install it."""


class TraceError(Exception):
    """A file can't be read as a trace.

    :param path: the file.
    :param line: the number of the line with the problem, from 1; None if the problem is not in one line.
    :param problem: what is wrong.
    """

    def __init__(self, path: str, line: int | None, problem: str):
        super().__init__(path, line, problem)
        self.path = path
        self.line = line
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}{f', line {self.line}' if self.line is not None else ''}: {self.problem}"


class JobErroredError(_Error):
    """A job failed.

    :param message: which job, and why.
    :param error: the exception that the job raised; its notes hold the traceback from the rank that ran it. It is also
        the ``__cause__``.
    """

    def __init__(self, message: str, error: BaseException | None):
        super().__init__(message, error)
        self.error = error
        self.__cause__ = error

    def __str__(self) -> str:
        return str(self.args[0])


class WorkflowError(ExceptionGroup[Exception]):
    """The errors of a pool that no listener handled: one exception for each failed job or node.

    :ivar results: if all jobs succeeded and some results can't be read: the results of all other jobs, by job.
        Otherwise empty.
    :ivar reported_by_main: True on ranks other than main; there the group only refers to the error on main.

    >>> import bsbpool
    >>> def corrupt(owner):
    ...     raise ValueError("corrupt morphology")
    >>> with bsbpool.job_pool(quiet=True) as pool:
    ...     job = pool.queue(corrupt, submitter="golgi")
    ...     try:
    ...         pool.execute()
    ...     except bsbpool.WorkflowError as error:
    ...         print(error.exceptions[0], "with", repr(error.exceptions[0].error))
    <FunctionJob 0 golgi> failed with ValueError('corrupt morphology')
    """

    results: Mapping[Any, Any] = MappingProxyType({})
    reported_by_main = False

    def derive(self, excs: Any) -> WorkflowError:  # type: ignore[override]
        """Make a group of the same kind from some of the exceptions; `split` and `subgroup` call it.

        :param excs: the exceptions.
        :returns: the group.
        """
        return WorkflowError(self.message, excs)
