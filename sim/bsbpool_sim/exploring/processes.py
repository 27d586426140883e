"""Runs calls in several processes at a time: each in a copy of this one, with the results in the order of the calls.

The calls belong to `exploration` and to the command. Copies are made by `fork`, so that programs need not be pickled;
systems without it use one process.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TypeVar

from ..ctrl_c import end_simulation

T = TypeVar("T")

_BYTES = 1 << 16

#: Seconds that processes have to say what they know so far, once somebody wants an end.
_LAST_WORDS = 5.0


class ProcessError(RuntimeError):
    """A process ended before it had said what came of its call."""


def can_fork() -> bool:
    """Whether this system has copies of a process."""
    return hasattr(os, "fork")


def in_processes(calls: Sequence[Callable[[], T]], most: int) -> Iterator[T]:
    """What each call returns, in the order of the calls.

    Ctrl-C interrupts all calls. What they return all the same is given before a `KeyboardInterrupt` is raised, if one
    of them returned nothing.

    :param most: how many processes run at a time.
    :raises ProcessError: one ended early, or what it had to say could not be pickled.
    """
    waiting = [*enumerate(calls)][::-1]
    running: dict[int, tuple[int, int, bytearray]] = {}
    done: dict[int, bytes] = {}
    following, patience = 0, None
    try:
        while following < len(calls):
            try:
                while waiting and len(running) < most:
                    place, call = waiting.pop()
                    reader, process = _start(call)
                    running[reader] = (place, process, bytearray())
                ready = select.select([*running], [], [], patience)[0] if running else []
            except KeyboardInterrupt:
                if patience is not None:
                    raise
                patience = _LAST_WORDS
                waiting.clear()
                for _, process, _ in running.values():
                    os.kill(process, signal.SIGTERM)
                continue
            if not ready:
                raise KeyboardInterrupt  # they say nothing
            for reader in ready:
                place, process, data = running[reader]
                if piece := os.read(reader, _BYTES):
                    data += piece
                    continue
                del running[reader]
                os.close(reader)
                os.waitpid(process, 0)
                done[place] = bytes(data)
            while following in done:
                yield _read(done.pop(following))
                following += 1
    finally:
        for reader, (_, process, _) in running.items():
            os.kill(process, signal.SIGKILL)
            os.close(reader)
            os.waitpid(process, 0)


def _start(call: Callable[[], object]) -> tuple[int, int]:
    """Start a process that makes a call. Returns where its result is read, and its number."""
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return reader, process
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        os.close(reader)
        try:
            said = pickle.dumps((True, call()))
        except KeyboardInterrupt:
            said = pickle.dumps((None, ""))
        except BaseException as error:
            said = pickle.dumps((False, f"{type(error).__name__}: {error}"))
        with open(writer, "wb") as stream:
            stream.write(said)
    finally:
        os._exit(0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt the call of this process, once: what it has to say then is not interrupted again."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    end_simulation(number, frame)


# What a process has said is of the type that its function returns: only the caller knows it.
def _read(data: bytes) -> T:  # type: ignore[type-var]
    if not data:
        raise ProcessError("a process ended before it had said what it found: it may have run out of memory")
    well, result = pickle.loads(data)
    if well is None:
        raise KeyboardInterrupt
    if not well:
        raise ProcessError(str(result))
    found: T = result
    return found
