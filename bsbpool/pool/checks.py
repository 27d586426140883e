"""Refuses invalid values before a job is made: functions that can't run as a job, context entries whose names look like
options, invalid limits and cached items. Jobs belong in `jobs`.
"""

from __future__ import annotations

import enum
import functools
import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import Any

from ..exceptions import JobPoolError
from ..values import listed, positive, shown, whole_number

# -- functions -------------------------------------------------------------------------------------

_ASYNC = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE
_SPECIAL = _ASYNC | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR

#: What to write in place of a function of that kind.
_INSTEAD = {
    "coroutine function": "write a plain function that calls asyncio.run() on it",
    "async generator function": "write a plain function that collects its values within asyncio.run()",
    "generator function": "return the values, for example as a list",
}

_KIND_OF_VALUE: dict[type, str] = {
    CoroutineType: "a coroutine",
    AsyncGeneratorType: "an async generator",
    GeneratorType: "a generator",
}


def _kind_of(function: Any) -> str | None:
    """Which kind of function it is whose call does not run its body; None for all others."""
    for _ in range(100):  # a callable object may wrap another one, and that the first
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, FunctionType):
            flags = function.__code__.co_flags
            if flags & _ASYNC:
                return "coroutine function"
            if flags & inspect.CO_ASYNC_GENERATOR:
                return "async generator function"
            return "generator function" if flags & inspect.CO_GENERATOR else None
        elif isinstance(function, type):
            return None  # a call makes an object of it
        else:
            function = inspect.getattr_static(type(function), "__call__", None)
            if isinstance(function, staticmethod | classmethod):
                function = function.__func__
            if not isinstance(function, functools.partial | MethodType | FunctionType):
                return None
    return None


def check_function(function: Any) -> None:
    """Check that a job can be made of a function.

    :raises TypeError: it can't be called, or its call would run nothing.
    """
    if type(function) is FunctionType and not function.__code__.co_flags & _SPECIAL:
        return  # most of them
    if not callable(function):
        raise TypeError(f"a function is needed to make a job of, not {shown(function)}")
    kind = _kind_of(function)
    if kind is not None:
        raise TypeError(
            f"{shown(function)} is a {kind}: a job calls it, and the call alone runs nothing of it. Instead, "
            f"{_INSTEAD[kind]}."
        )


def check_returned(value: Any) -> Any:
    """Check what a job returned, and return it.

    :returns: the value.
    :raises JobPoolError: it is a coroutine or a generator, of which nothing has run.
    """
    if type(value) not in _KIND_OF_VALUE:
        return value
    kind = _KIND_OF_VALUE[type(value)]
    if type(value) is CoroutineType:
        value.close()  # else Python warns that nobody has awaited it
    instead = "return what it yields, as a list" if type(value) is GeneratorType else "run it within asyncio.run()"
    raise JobPoolError(
        f"the job returned {kind} ({shown(value)}), which has not run and can't travel to another rank: {instead}"
    )


# -- names of context entries ----------------------------------------------------------------------

#: The options of `JobPool.queue`.
OPTIONS = ("args", "kwargs", "deps", "submitter", "cache_items", "timeout", "context")

_ORDER = "jobs start in the order in which they become ready, so queue first what is to start first"
_LIMIT = "write timeout=seconds"
_RETRIES = "retries are an option of the pool: job_pool(retries=…)"
_DEPS = "write deps=[job, …]"
_RANKS = "a job gets one rank, whichever is idle; how many there are is told to the MPI launcher"
_CALLBACK = "call on_completion(callback) of the job that queue() returns"
_OF_THE_POOL = "it is an option of the pool, not of a job"
_ID = "the pool numbers its jobs itself, and submitter= names one"

#: Names that other pools have for what is written otherwise here, or is not there; and what to write.
ELSEWHERE = {
    **dict.fromkeys(("priority", "prio", "nice"), _ORDER),
    **dict.fromkeys(
        ("timeout_s", "timeout_sec", "timeout_secs", "timeout_seconds", "timeout_ms", "timeout_min", "timelimit",
         "walltime", "max_time", "max_runtime", "deadline", "job_timeout", "soft_time_limit", "fifo_timeout"),
        _LIMIT,
    ),
    **dict.fromkeys(("retries", "retry", "max_retries", "num_retries", "n_retries", "max_restarts"), _RETRIES),
    **dict.fromkeys(
        ("depends_on", "depends", "dependencies", "dependency", "dependent_on", "wait_for", "run_after", "after"),
        _DEPS,
    ),
    **dict.fromkeys(
        ("resources", "num_cpus", "num_gpus", "n_cpus", "n_gpus", "cpus", "gpus", "ncpus", "ngpus", "n_jobs",
         "num_workers", "n_workers", "max_workers", "workers", "allow_other_workers", "chunksize"),
        _RANKS,
    ),
    **dict.fromkeys(
        ("callback", "callbacks", "done_callback", "error_callback", "on_done", "on_success", "on_error",
         "on_failure", "on_completion"),
        _CALLBACK,
    ),
    **dict.fromkeys(("fail_fast", "quiet", "workflow", "return_results"), _OF_THE_POOL),
    **dict.fromkeys(("job_id", "task_id"), _ID),
    "kwds": "write kwargs={…}",
    "keywords": "write kwargs={…}",
    "arguments": "write args=(…,)",
}  # fmt: skip


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


_OPTIONS = {_plain(option): option for option in OPTIONS}
_ELSEWHERE = {_plain(name): instead for name, instead in ELSEWHERE.items()}


def _one_letter_apart(a: str, b: str) -> bool:
    """Whether one letter more, less or other, or two that changed places, makes one text of the other."""
    if a == b:
        return True
    if len(a) > len(b):
        a, b = b, a
    if len(b) - len(a) > 1:
        return False
    first = next((i for i, letter in enumerate(a) if letter != b[i]), len(a))
    if len(a) < len(b):
        return a[first:] == b[first + 1 :]
    return a[first + 1 :] == b[first + 1 :] or (
        a[first : first + 2] == b[first : first + 2][::-1] and a[first + 2 :] == b[first + 2 :]
    )


@functools.lru_cache(256)
def _what_is_wrong(name: str) -> str | None:
    plain = _plain(name)
    if instead := _ELSEWHERE.get(plain):
        return f"{name} is no option of queue(): {instead}"
    for near, option in _OPTIONS.items():
        if _one_letter_apart(plain, near):
            return f"{name} is no option of queue(): did you mean {option}?"
    return None


def check_names(names: Iterable[str]) -> None:
    """Check that these can be names of context entries, given as keywords.

    :raises TypeError: one is easily taken for an option, which it would not be.
    """
    for name in names:
        if problem := _what_is_wrong(name):
            raise TypeError(f"{problem}. For an entry of the context of that name, write context={{{name!r}: …}}.")


def merged(named: dict[str, Any], given: Any) -> dict[str, Any]:
    """The context of a job: the entries that were given as keywords, and those of `context={…}`.

    :raises TypeError: that is no mapping of names, or both have an entry of one name.
    """
    check_names(named)
    if given is None:
        return named
    entries: dict[Any, Any] = dict(given) if isinstance(given, Mapping) else {None: None}
    if not all(isinstance(name, str) for name in entries):
        raise TypeError(f"context maps names to values, such as {{'priority': 3}}; it is not {shown(given)}")
    twice = [name for name in entries if name in named]
    if twice:
        raise TypeError(f"the context has {', '.join(twice)} twice: as a keyword, and in context={{…}}")
    return {**named, **entries}


# -- limits and cached items ---------------------------------------------------------------------------


class Inherit(enum.Enum):
    """In place of a number of seconds: a job's time limit is the pool's."""

    INHERIT = "INHERIT"

    def __repr__(self) -> str:
        return self.value


INHERIT = Inherit.INHERIT

#: Seconds above which a limit is none: a hundred years. Clocks and traces hold three times as much.
_LONGEST_LIMIT = 100 * 365 * 24 * 3600


def limit_ns(what: str, seconds: float | None) -> int | None:
    """A time limit as nanoseconds.

    :raises ValueError: it is no number above 0.
    """
    if seconds is None:
        return None
    number = positive(seconds)
    if number is None:
        raise ValueError(f"{what} is a number of seconds above 0, or None for no limit, not {shown(seconds)}")
    return None if number > _LONGEST_LIMIT else max(1, round(number * 1e9))


def check_items(cache_items: Any) -> Sequence[int]:
    """The ids of the cached items that a job requires.

    :raises TypeError: they are no list of integers.
    """
    if cache_items is None:
        return ()
    items = listed(cache_items)
    numbers = [number for item in items or () if (number := whole_number(item)) is not None]
    if items is None or len(numbers) != len(items):
        raise TypeError(
            "cache_items lists ids of cached items, which are integers, as get_node_cache_items() gives them; it is "
            f"not {shown(cache_items)}"
        )
    return numbers
