"""The errors of the library. Which situations raise them is said where they are raised."""

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
    """Something is wrong with a job pool, or with how it is used."""


class JobPoolContextError(JobPoolError):
    """A pool was used outside its ``with`` block."""


class JobCancelledError(JobPoolError):
    """Why a job was cancelled; the `error` of a cancelled job."""


class JobAbortedError(JobPoolError):
    """Why a job that ran did not get to its end; the `error` of an aborted job."""


class RankLostError(JobAbortedError):
    """A rank is gone: it died, or left the pool."""


class JobTimeoutError(JobAbortedError):
    """A job ran for longer than its limit; its notes hold the stack that it had then."""


class JobInterrupted(BaseException):
    """Raised inside of a job that has reached its time limit, wherever its code is.

    It is no `Exception`, so that ``except Exception`` lets it pass. Clean up in ``finally``, and let it pass too: a job
    that goes on regardless costs its pool the rank that it runs on.
    """


class JobSchedulingError(JobPoolError):
    """A node was not scheduled: its scheduler raised, or a node that it depends on was not scheduled."""


class RemoteError(JobPoolError):
    """Stands for an exception of another rank that can't be brought to this one: names its type and message."""


class DependencyError(_Error):
    """An optional dependency is missing; the message says how to install it."""


class TraceError(Exception):
    """A file can't be read as a trace.

    :param path: the file.
    :param line: the number of the line where it goes wrong, from 1.
    :param problem: what is wrong, and what would be right.

    :ivar path: the file.
    :ivar line: the number of the line where it goes wrong, from 1; None if that is not about a line.
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

    :param message: which job, and how.
    :param error: the exception that the job raised.

    :ivar error: the exception that the job raised; its notes hold the traceback of the rank that ran it.
    """

    def __init__(self, message: str, error: BaseException | None):
        super().__init__(message, error)
        self.error = error
        self.__cause__ = error

    def __str__(self) -> str:
        return str(self.args[0])


class WorkflowError(ExceptionGroup[Exception]):
    """What went wrong in a pool and was not handled: an exception for each failed job or node.

    :ivar results: if all jobs succeeded and some results can't be read: those of all other jobs, by job. Else empty.
    :ivar reported_by_main: True on other ranks than main, where it says no more than that main raises what failed.

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
        """What `split` and `except*` make of a part of it.

        :param excs: the exceptions of that part.
        :returns: an error of this kind.
        """
        return WorkflowError(self.message, excs)
