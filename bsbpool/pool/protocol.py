"""The messages between main and the workers, and how they are packed. Who sends what, and when, is not here.

A message is a tuple, its kind first. From main to a worker:

- ``(RUN, [(job, call), …], items, news)``: run these jobs, by their ids, in order; free these cached items first.
  A call is ``(function, arguments)``, packed one by one, or both as one; see `Codec.pack_call`.
  A job that has a time limit is the only one, and a triple: (job, call, nanoseconds).
  News: how many times main had heard from this rank that it took items into its cache. If there were more, the
  rank drops the jobs: they were sent without the orders to free that they should have come with.
- ``(CALL_BACK, job)``: give back a job that you have not started; None: all of them.
- ``(MEASURE,)``: tell when the memory of your process has grown; somebody records.
- ``(STOP, problem)``, once: leave `execute`; problem: what went wrong on main, or None.

From a worker to main:

- ``(READY, items, host)``, once: give me jobs; I hold these cached items, and this is where I am.
- ``(DONE, job, succeeded, payload, started, ended, items)``: its result, or the exception that it raised, or
  (succeeded: None) where it was when it was interrupted at its limit: a place and a stack, as texts, and
  frames; a large result comes in parts beside the message, and the payload is None; times are nanoseconds of the
  worker's clock; items: what this rank has taken into its cache since it last told. If there are any, it has dropped
  the jobs that it had not started.
- ``(RETURNED, jobs)``: jobs that this rank was sent ahead and will not run.
- ``(STUCK, job, place, stack, frames)``: my job is past its limit, was interrupted, and still runs.
- ``(STARTED, job)``: a job that was called back, but too late: it has started.
- ``(GREW, job, peak)``: the most memory that this process has had grew, by the end of this job, to so many bytes.
- ``(LEFT, why)``: I am off, for a reason of my own.

Calls, results and exceptions are packed on their own inside of a message, so that one that can't be packed, or
unpacked, spoils nothing else.

The memory of large arrays, and of whatever else hands out its memory to pickle 5, is not packed but sent from where
it is. Those are the parts of a result: a pickle, and the buffers that it refers to.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from ..exceptions import JobPoolError, RemoteError
from ..frames import without_own
from ..tracebacks import raised, remember
from ..values import add_note, shown, text_of

PROTOCOL = 5

#: Bytes from which on a buffer, or all of a result, is sent beside the message.
LARGE_PART = 256 * 1024

RUN, CALL_BACK, MEASURE, STOP = "run", "call back", "measure", "stop"
READY, DONE, RETURNED, STARTED, STUCK, GREW, LEFT = "ready", "done", "returned", "started", "stuck", "grew", "left"


def dumps(thing: Any, buffers: list[Any] | None = None) -> bytes:
    """Pack by pickle, and by cloudpickle what pickle can't.

    :param buffers: gets the memory that is not packed but only referred to, from `LARGE_PART` on; None packs all.
    :raises Exception: neither can; whatever cloudpickle says.
    """
    inside: Callable[[pickle.PickleBuffer], bool] | None = None
    if buffers is not None:

        def inside(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < LARGE_PART:
                return True
            buffers.append(raw)
            return False

    try:
        return pickle.dumps(thing, PROTOCOL, buffer_callback=inside)
    except Exception:
        import cloudpickle

        if buffers is not None:
            buffers.clear()
        packed: bytes = cloudpickle.dumps(thing, PROTOCOL, inside)
        return packed


loads = pickle.loads


def pack_error(error: BaseException, where: str) -> bytes:
    """Pack an exception, with its traceback as a note, and beside it as data.

    One that would not arrive whole becomes a `RemoteError`.
    """
    beside = raised(error)
    return pickle.dumps((_packed_error(error, where), beside), PROTOCOL)


def _packed_error(error: BaseException, where: str) -> bytes:
    lines = _traceback(error)
    add_note(error, f"\nOn {where}:\n\n{''.join(lines).rstrip()}")
    try:
        packed = dumps(error)
        if type(loads(packed)) is type(error):
            return packed
    except Exception:
        pass  # an exception whose class can't be made from its args, for one
    stand_in = RemoteError(f"{type(error).__module__}.{type(error).__qualname__}: {text_of(error)}")
    notes = getattr(error, "__notes__", None)
    for note in notes if type(notes) is list else ():
        add_note(stand_in, note)
    return dumps(stand_in)


def _traceback(error: BaseException) -> list[str]:
    frames = without_own(error.__traceback__)
    try:
        return traceback.format_exception(type(error), error, frames, limit=-20)
    except Exception:  # Python asks exceptions whether they are true
        places = traceback.format_tb(frames, limit=-20)
        return ["Traceback (most recent call last):\n", *places, f"{type(error).__qualname__}: {text_of(error)}\n"]


def unpack_error(packed: bytes) -> BaseException:
    """The exception that was packed, with where it was raised; a `RemoteError` if this rank can't make it."""
    packed, where = loads(packed)
    error = _unpacked_error(packed)
    remember(error, where)
    return error


def _unpacked_error(packed: bytes) -> BaseException:
    try:
        error = loads(packed)
    except Exception as why:
        return RemoteError(f"the exception that the job raised can't be unpacked on main: {shown(why)}")
    if isinstance(error, BaseException):
        return error
    return RemoteError(f"the exception that the job raised is {shown(error)} on main, which is no exception")


_NONE = pickle.dumps(None, PROTOCOL)


class Codec:
    """Packs for other ranks; one for each pool and rank, since it remembers functions."""

    def __init__(self) -> None:
        # Packed functions: b"" for one that does not travel by its name. And what they were when they arrived.
        self._packed: dict[FunctionType, bytes] = {}
        self._functions: dict[bytes, Any] = {}

    def encode(self, message: tuple[Any, ...]) -> Any:
        """A whole message."""
        return pickle.dumps(message, PROTOCOL)

    def decode(self, message: Any) -> tuple[Any, ...]:
        """The message that was encoded."""
        decoded: tuple[Any, ...] = loads(message)
        return decoded

    def pack_call(self, call: tuple[Any, Any, Any]) -> Any:
        """A job's call: what to call, args, kwargs.

        A function that travels by its name is packed once for all its calls. Its arguments never share a pickle with
        those of other jobs: what two jobs were given would arrive as one object, and one could change it under the
        other.

        :raises JobPoolError: it can't be packed.
        """
        function, args, kwargs = call
        try:
            if type(function) is FunctionType:
                name = self._packed.get(function)
                if name is None:
                    name = self._name(function)
                if name:
                    return name, dumps((args, kwargs)) if args or kwargs else b""
            return dumps(call)
        except Exception as error:
            raise JobPoolError(
                f"its arguments can't be pickled ({type(error).__name__}: {text_of(error)}): give it what can travel "
                "to another rank, such as names to look up there"
            ) from error

    def _name(self, function: FunctionType) -> bytes:
        try:
            packed = pickle.dumps(function, PROTOCOL)
        except Exception:
            packed = b""
        self._packed[function] = packed
        return packed

    def unpack_call(self, payload: Any) -> tuple[Any, Any, Any]:
        """The call that was packed.

        :raises JobPoolError: it can't be unpacked here.
        """
        try:
            if type(payload) is not tuple:
                function, args, kwargs = loads(payload)
                return function, args, kwargs
            name, packed = payload
            function = self._functions.get(name)
            if function is None:
                function = self._functions[name] = loads(name)
            args, kwargs = loads(packed) if packed else ((), {})
            return function, args, kwargs
        except Exception as error:
            raise JobPoolError(
                f"its call can't be unpickled on the worker ({type(error).__name__}: {text_of(error)}): what it names "
                "must be importable there"
            ) from error

    def pack_result(self, result: Any) -> tuple[Any, Sequence[Any]]:
        """A job's result: packed, and its parts; one of both is empty.

        :raises JobPoolError: it can't be packed.
        """
        if result is None:
            return _NONE, ()
        buffers: list[Any] = []
        try:
            packed = dumps(result, buffers)
        except Exception as error:
            raise JobPoolError(
                f"its result of type {type(result).__qualname__} can't be pickled ({type(error).__name__}: "
                f"{text_of(error)}): return what can travel to main, or None"
            ) from error
        if buffers or len(packed) >= LARGE_PART:
            return None, [packed, *buffers]
        return packed, ()

    def unpack_result(self, payload: Any) -> Any:
        """The result that was packed, from what was packed or its parts."""
        if type(payload) is list:
            return pickle.loads(payload[0], buffers=payload[1:])
        return loads(payload)

    pack_error = staticmethod(pack_error)
    unpack_error = staticmethod(unpack_error)


class OpenMessages(Codec):
    """Packs calls, results and exceptions, but not the messages that they are in: for ranks of one process.

    Nobody changes what is in a message, once it is made.
    """

    # The message itself, which is a tuple: `tuple` returns it, and takes half of what a function of Python's would.
    encode = decode = tuple  # type: ignore[assignment]


class ByReference(OpenMessages):
    """Packs nothing: for main's own worker, where there is one rank only."""

    def pack_call(self, call: tuple[Any, Any, Any]) -> Any:
        """Return the call itself."""
        return call

    def unpack_call(self, payload: Any) -> tuple[Any, Any, Any]:
        """Return the call itself."""
        function, args, kwargs = payload
        return function, args, kwargs

    def pack_result(self, result: Any) -> tuple[Any, Sequence[Any]]:
        """Return the result itself, which has no parts."""
        return result, ()

    def unpack_result(self, payload: Any) -> Any:
        """Return the result itself."""
        return payload

    pack_error = unpack_error = staticmethod(lambda error, where="": error)  # type: ignore[assignment]
