"""What goes over the wire between main and the workers, and how it is packed. Who sends what when is not here.

A message is a tuple, its kind first. From main to a worker:

- ``(RUN, [(job, call), …], items, news)``: run these jobs, by their ids, in order; free these cached items first.
  News: how many times main had heard from this rank that it took items into its cache. If there were more, the
  rank drops the jobs: they were sent without the orders to free that they should have come with.
- ``(CALL_BACK, job)``: give back a job that you have not started.
- ``(STOP, problem)``, once: leave `execute`; problem: what went wrong on main, or None.

From a worker to main:

- ``(READY, items)``, once: give me jobs; I hold these cached items.
- ``(DONE, job, succeeded, payload, started, ended, items)``: its result, or the exception that it raised; times
  are nanoseconds of the worker's clock; items: what this rank has taken into its cache since it last told. If
  there are any, it has dropped the jobs that it had not started.
- ``(RETURNED, jobs)``: jobs that this rank was sent ahead and will not run.
- ``(STARTED, job)``: a job that was called back, but too late: it has started.
- ``(LEFT, why)``: I am off, for a reason of my own.

Calls, results and exceptions are packed on their own inside of a message, so that one that can't be packed, or
unpacked, spoils nothing else.
"""

from __future__ import annotations

import pickle
import traceback
from types import TracebackType
from typing import Any

from .exceptions import JobPoolError, RemoteError

PROTOCOL = 5

_OWN = ("bsbpool.", "bsbpool_sim.")

RUN, CALL_BACK, STOP = "run", "call back", "stop"
READY, DONE, RETURNED, STARTED, LEFT = "ready", "done", "returned", "started", "left"


def dumps(thing: Any) -> bytes:
    """Pack by pickle, and by cloudpickle what pickle can't.

    :raises Exception: neither can; whatever cloudpickle says.
    """
    try:
        return pickle.dumps(thing, PROTOCOL)
    except Exception:
        import cloudpickle

        packed: bytes = cloudpickle.dumps(thing, PROTOCOL)
        return packed


loads = pickle.loads


def pack_error(error: BaseException, where: str) -> bytes:
    """Pack an exception, with its traceback as a note. One that would not arrive whole becomes a `RemoteError`."""
    lines = traceback.format_exception(type(error), error, _of_the_job(error.__traceback__), limit=-20)
    error.add_note(f"\nOn {where}:\n\n{''.join(lines).rstrip()}")
    try:
        packed = dumps(error)
        if type(loads(packed)) is type(error):
            return packed
    except Exception:
        pass  # an exception whose class can't be made from its args, for one
    try:
        message = str(error)
    except Exception as why:
        message = f"(its text raises {type(why).__name__})"
    stand_in = RemoteError(f"{type(error).__module__}.{type(error).__qualname__}: {message}")
    for note in getattr(error, "__notes__", ()):
        stand_in.add_note(note)
    return dumps(stand_in)


def _of_the_job(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this package that it begins with."""
    inner = trace
    while inner is not None and inner.tb_frame.f_globals.get("__name__", "").startswith(_OWN):
        inner = inner.tb_next
    return inner or trace


def unpack_error(packed: bytes) -> BaseException:
    """The exception that was packed; a `RemoteError` if this rank can't make it."""
    try:
        error = loads(packed)
    except Exception as why:
        return RemoteError(f"the exception that the job raised can't be unpacked on main: {why!r}")
    assert isinstance(error, BaseException)
    return error


class Codec:
    """Packs for other ranks."""

    @staticmethod
    def encode(message: tuple[Any, ...]) -> Any:
        """A whole message."""
        return pickle.dumps(message, PROTOCOL)

    @staticmethod
    def decode(message: Any) -> tuple[Any, ...]:
        """The message that was encoded."""
        decoded: tuple[Any, ...] = loads(message)
        return decoded

    @staticmethod
    def pack_call(call: tuple[Any, Any, Any]) -> Any:
        """A job's call: class, args, kwargs.

        :raises JobPoolError: it can't be packed.
        """
        try:
            return dumps(call)
        except Exception as error:
            raise JobPoolError(
                f"its arguments can't be pickled ({type(error).__name__}: {error}): give it what can travel "
                "to another rank, such as names to look up there"
            ) from error

    @staticmethod
    def unpack_call(payload: Any) -> tuple[Any, Any, Any]:
        """The call that was packed.

        :raises JobPoolError: it can't be unpacked here.
        """
        try:
            kind, args, kwargs = loads(payload)
            return kind, args, kwargs
        except Exception as error:
            raise JobPoolError(
                f"its call can't be unpickled on the worker ({type(error).__name__}: {error}): what it names must "
                "be importable there"
            ) from error

    @staticmethod
    def pack_result(result: Any) -> Any:
        """A job's result.

        :raises JobPoolError: it can't be packed.
        """
        try:
            return dumps(result)
        except Exception as error:
            raise JobPoolError(
                f"its result of type {type(result).__qualname__} can't be pickled ({type(error).__name__}: {error}): "
                "return what can travel to main, or None"
            ) from error

    @staticmethod
    def unpack_result(payload: Any) -> Any:
        """The result that was packed."""
        return loads(payload)

    pack_error = staticmethod(pack_error)
    unpack_error = staticmethod(unpack_error)


class ByReference(Codec):
    """Packs nothing: for main's own worker, where there is one rank only."""

    @staticmethod
    def encode(message: tuple[Any, ...]) -> Any:
        return message

    @staticmethod
    def decode(message: Any) -> tuple[Any, ...]:
        decoded: tuple[Any, ...] = message
        return decoded

    @staticmethod
    def pack_call(call: tuple[Any, Any, Any]) -> Any:
        return call

    @staticmethod
    def unpack_call(payload: Any) -> tuple[Any, Any, Any]:
        kind, args, kwargs = payload
        return kind, args, kwargs

    @staticmethod
    def pack_result(result: Any) -> Any:
        return result

    @staticmethod
    def unpack_result(payload: Any) -> Any:
        return payload

    pack_error = unpack_error = staticmethod(lambda error, where="": error)  # type: ignore[assignment]
