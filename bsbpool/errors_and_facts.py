"""Converts facts to exceptions, and exceptions to facts.

`facts` defines the facts, and `wording` their messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from . import wording
from .exceptions import (
    JobAbortedError,
    JobCancelledError,
    JobErroredError,
    JobPoolError,
    JobSchedulingError,
    JobTimeoutError,
    RankLostError,
)
from .facts import (
    MOST_ERRORS,
    Cancelled,
    DependencyFailed,
    Error,
    JobFailed,
    LeftRank,
    LostRank,
    NobodyLeft,
    NotScheduled,
    Overdue,
    Raised,
    SchedulerFailed,
    Stopped,
    WorkflowFailed,
    with_texts,
)
from .text import scrub

__all__ = ["describe_error", "error_of", "facts_of", "in_words", "lost_again", "own_facts", "workflow_failed"]

_FACTS = "_bsbpool_facts"

_CLASSES: dict[type[Any], type[Exception]] = {
    Overdue: JobTimeoutError,
    LostRank: RankLostError,
    LeftRank: RankLostError,
    NotScheduled: JobSchedulingError,
    SchedulerFailed: JobSchedulingError,
    Cancelled: JobCancelledError,
    DependencyFailed: JobCancelledError,
    NobodyLeft: JobPoolError,
}

_MADE = frozenset({*_CLASSES, Stopped, JobFailed})


def error_of(facts: Error, cause: BaseException | None = None) -> Any:
    """The exception with these facts: its message is made of them.

    :param cause: of a `JobFailed`, the exception of the job; else what it is raised from.
    :raises TypeError: the facts are those of an exception that somebody else has raised.
    """
    if isinstance(facts, JobFailed):
        error: Exception = JobErroredError(facts.message, cause)
    elif isinstance(facts, Raised | WorkflowFailed):
        raise TypeError(f"the library raises no exception for {facts!r}")
    else:
        kind = (JobAbortedError if facts.running else JobCancelledError) if isinstance(facts, Stopped) else None
        error = (kind or _CLASSES[type(facts)])(facts.message)
        if cause is not None:
            error.__cause__ = cause
    setattr(error, _FACTS, facts)
    return error


def own_facts(error: BaseException | None) -> Error | None:
    """The facts of an exception that the library itself has made, with texts as they are; None of any other."""
    try:
        facts: Error | None = vars(error).get(_FACTS)
    except Exception:  # None; or a class of the user's, which may do anything when it is asked for an attribute
        return None
    return facts if type(facts) in _MADE else None


def lost_again(error: BaseException, times: int) -> BaseException:
    """Return the error of a job that was lost with its rank several times, made from the last error."""
    facts = own_facts(error)
    if isinstance(facts, LostRank | LeftRank):
        again: BaseException = error_of(replace(facts, times=times))
        return again
    return type(error)(f"{error}{wording.times_lost(times)}")


def facts_of(error: BaseException | None) -> Error | None:
    """The facts of an exception, as a trace has them: each text on one line, and cut at 200 characters."""
    if error is None:
        return None
    if (facts := own_facts(error)) is not None:
        return with_texts(facts, scrub)
    try:
        message = " ".join(str(error).split())
    except Exception as why:
        message = f"(its text raises {type(why).__name__})"
    kind = scrub(type(error).__name__)
    # Cut where both together are too long, as in version 1 of the trace format.
    text = scrub(f"{kind}: {message}")
    return Raised(kind, text.removeprefix(f"{kind}: ") if message and text.startswith(f"{kind}: ") else "")


def workflow_failed(errors: Sequence[BaseException]) -> WorkflowFailed | None:
    """Return the facts of a pool with these errors that no listener handled; None if there are none."""
    told = tuple(facts for error in errors[:MOST_ERRORS] if (facts := facts_of(error)) is not None)
    if not told:
        return None
    # No deeper than others, though it is one level more.
    return cast(WorkflowFailed, with_texts(WorkflowFailed(len(errors), told), str))


def describe_error(error: BaseException | None) -> str | None:
    """An exception in words: its type and message, on one line, cut at 200 characters."""
    return None if error is None else in_words(facts_of(error))


def in_words(facts: Error | None) -> str:
    """Facts in words, on one line, cut at 200 characters; empty if there are none."""
    return "" if facts is None else scrub(str(facts))
