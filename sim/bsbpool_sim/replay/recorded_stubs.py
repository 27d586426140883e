"""Stubs for jobs, nodes and errors, of which a trace only has the names and texts.

They look the same in a trace as the originals. Their behaviour does not belong here.
"""

from __future__ import annotations

import builtins
import copyreg
import functools
from abc import ABCMeta
from collections.abc import Sequence
from typing import Any

from bsbpool.errors_and_facts import error_of
from bsbpool.facts import Error, Raised, WorkflowFailed
from bsbpool.pool import JobPool
from bsbpool.pool.jobs import FunctionJob, Job
from bsbpool.pool.submission import SubmissionContext

# -- errors --------------------------------------------------------------------------------------------


class RecordedError(BaseException):
    """An error as a trace tells of it: its class has the name of the recorded one, and its base if that is Python's."""

    def __init__(self, message: str = ""):
        self.message = message

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Any:
        builtin = not isinstance(self, Exception) or isinstance(self, _builtin_base(type(self).__name__))
        return recorded_error, (type(self).__name__, self.message, Exception, builtin), self.__dict__


def raised_again(facts: Error, otherwise: type[BaseException] = Exception) -> BaseException:
    """An exception with these facts: that of the library, or one as a trace tells of it.

    :param otherwise: the base of a type that is none of Python's.
    """
    if isinstance(facts, Raised | WorkflowFailed):
        return recorded_error(facts.type, facts.message, otherwise)
    error: BaseException = error_of(facts)
    return error


def raised_by_job(facts: Error) -> BaseException:
    """The error that a job raised: one that ended the job, and not its rank, whatever it is called."""
    error = raised_again(facts)
    if isinstance(error, Exception | SystemExit):
        return error
    return _error_class(type(error).__name__, Exception, False)(str(error))


def recorded_error(
    name: str, message: str, otherwise: type[BaseException] = Exception, builtin: bool = True
) -> BaseException:
    """An error of a class of that name; builtin: if Python has such a class, that is its base."""
    return _error_class(name, otherwise, builtin)(message)


def _builtin_base(name: str) -> type[BaseException]:
    known = getattr(builtins, name, None)
    return known if isinstance(known, type) and issubclass(known, BaseException) else Exception


_ERROR_CLASSES: dict[tuple[str, type[BaseException], bool], type[RecordedError]] = {}


def _error_class(name: str, otherwise: type[BaseException], builtin: bool = True) -> type[RecordedError]:
    if (name, otherwise, builtin) in _ERROR_CLASSES:
        return _ERROR_CLASSES[name, otherwise, builtin]
    known = getattr(builtins, name, None) if builtin else None
    base = otherwise
    if isinstance(known, type) and issubclass(known, BaseException) and not issubclass(known, BaseExceptionGroup):
        base = known
    kind = type(name, (RecordedError,) if base is BaseException else (RecordedError, base), {})
    kind.__module__ = "builtins"  # a traceback shows the name alone
    _ERROR_CLASSES[name, otherwise, builtin] = kind
    return kind


# -- jobs ----------------------------------------------------------------------------------------------


class _Kind(ABCMeta):
    """The class of the classes of recorded jobs: they travel by their name."""


class StubJob(FunctionJob, metaclass=_Kind):
    """A job as a trace tells of it.

    :param told: how its pool describes it, if the trace has that.
    :param unpackable: what was raised when its call was packed.
    :param limit: nanoseconds that it may run for.
    """

    __slots__ = ("_told", "_unpackable")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        pass  # nobody is to find it by the name of what it stands for

    def __init__(
        self,
        pool: JobPool,
        name: str,
        context: dict[str, Any],
        deps: Sequence[Job],
        cache_items: Sequence[int],
        told: str | None,
        unpackable: Error | None,
        limit: int | None,
    ):
        self._function = run_stub
        self._told = told
        self._unpackable = unpackable
        submission = SubmissionContext(name)
        submission._context = context
        timeout = None if limit is None else limit / 1e9
        Job.__init__(self, pool, submission, (), {}, deps or None, cache_items, timeout)

    @property
    def description(self) -> str:
        """The recorded name and context."""
        return super().description if self._told is None else self._told

    def serialize(self) -> tuple[str, Any, Any]:
        """What a worker is sent: nothing but the name of the class."""
        if self._unpackable is not None:
            raise raised_again(self._unpackable)
        return super().serialize()


def run_stub(owner: Any) -> None:
    """The function of a stub. It does nothing: the script says how long it takes, and what comes of it."""


@functools.cache
def job_class(name: str) -> Any:
    """The class of recorded jobs whose class has that name."""
    return _Kind(name, (StubJob,), {"__slots__": ()})


def _by_name(kind: type) -> tuple[Any, tuple[str]]:
    return job_class, (kind.__name__,)


copyreg.pickle(_Kind, _by_name)


# -- nodes ---------------------------------------------------------------------------------------------


class Named:
    """A node of which the name is known."""

    def __init__(self, name: str):
        self.name = name

    def get_node_name(self) -> str:
        """The name."""
        return self.name
