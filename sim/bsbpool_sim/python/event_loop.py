"""The event loop of `asyncio` on simulated ranks: it waits in virtual time, for timers and for other threads.

It is Python's base class of event loops with another way of waiting. Operations that need sockets, pipes, signals or
processes are refused. This file is imported only when a program has imported asyncio.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from asyncio import base_events, events
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

from ..errors import CannotSimulateError
from ..kernel import Task, nanoseconds
from ..thread_turns import step, turns_of
from .threads import threads_of

_WHY = "a call of its event loop"


class _Waiting:
    """Replaces the selector of an event loop: it waits until a time, or until another task calls the loop."""

    def __init__(self) -> None:
        self._called = False
        self._task: Task | None = None
        #: the task whose loop it is, once it has waited.
        self.waits_in: Task | None = None

    def select(self, timeout: float | None) -> list[Any]:
        """Wait for `timeout` seconds at the most."""
        task: Any = getcurrent()
        kernel = task.kernel
        until = None if timeout is None else kernel.now + max(nanoseconds(timeout), int(timeout > 0))
        self._task = self.waits_in = task
        turns = turns_of(task)
        if turns is not None and until is not None and until > kernel.now:  # a timer, as any other limit of a thread
            turns.wait(task, lambda: self._called, _WHY, until)
        while not self._called and kernel.park(_WHY, until):
            pass
        self._task, self._called = None, False
        return []

    def call(self) -> None:
        """End the wait."""
        self._called = True
        if self._task is not None:
            self._task.kernel.wake(self._task)


class SimulatedEventLoop(base_events.BaseEventLoop):
    """An event loop of a thread of a simulated rank."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Waiting()
        #: its tasks, with their numbers in the order in which they were made.
        self.numbers: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none: nothing is waited for but time and calls."""

    def _write_to_self(self) -> None:
        self._selector.call()

    def run_forever(self) -> None:
        """Run until it is stopped."""
        task: Any = getcurrent()
        with _TurnsOf(task):
            task.kernel.park("the start of its event loop", task.kernel.now)  # from then on its turns are its own
            super().run_forever()

    # Its type names the callback's arguments, in another way in each version of Python.
    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """Call from any thread: who comes first is tried where time is set aside."""
        here: Any = getcurrent()
        if self._selector.waits_in is not here:
            step(here, ("loop", self), None, "call_soon_threadsafe")
        return super().call_soon_threadsafe(callback, *args, context=context)

    def create_task(self, coro: Any, *, name: object = None, **options: Any) -> Any:
        """Start a coroutine. Names are numbered by rank."""
        here: Any = getcurrent()
        if name is None:
            name = f"Task-{threads_of(here.rank).name('Task', 1)}"
        made = super().create_task(coro, name=str(name), **options)
        self.numbers[made] = threads_of(here.rank).name("number of a task", 1)
        return made

    def __del__(self, _warn: Any = None) -> None:
        """Nothing is left open that Python would warn of."""


class _TurnsOf:
    """While active, what Python keeps of event loops for each thread is kept for each task.

    Tasks of many ranks are in one real thread. It is exchanged when the task goes on, by a method of its own in place
    of `Task.switch`; so tasks without an event loop pay nothing.
    """

    def __init__(self, task: Any):
        self._task = task

    def __enter__(self) -> None:
        task = self._task
        go_on: Callable[[], Any] = greenlet.switch.__get__(task)

        def switch() -> Any:
            hub = _of_thread()
            _set(kept)
            try:
                return go_on()
            finally:
                kept[:] = _of_thread()
                _set(hub)

        kept: list[Any] = [*_of_thread()]
        task.switch = switch

    def __exit__(self, *exc: object) -> None:
        if self._task.ended_at is None:  # else it has left for ever
            del self._task.switch


def _of_thread() -> list[Any]:
    return [events._get_running_loop(), *sys.get_asyncgen_hooks()]


def _set(kept: list[Any]) -> None:
    loop, first, finalizer = kept
    events._set_running_loop(loop)
    sys.set_asyncgen_hooks(first, finalizer)


def _refused(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        task: Any = getcurrent()
        raise CannotSimulateError(
            f"simulated rank {task.rank.index} called loop.{name}(), which is refused: sockets, pipes, signals and "
            "processes live in real time"
        )

    method.__name__ = name
    return method


for _name in (
    "add_reader", "add_signal_handler", "add_writer", "connect_accepted_socket", "connect_read_pipe",
    "connect_write_pipe", "create_connection", "create_datagram_endpoint", "create_server", "create_unix_connection",
    "create_unix_server", "getaddrinfo", "getnameinfo", "remove_reader", "remove_signal_handler", "remove_writer",
    "sendfile", "sock_accept", "sock_connect", "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into",
    "sock_sendall", "sock_sendfile", "sock_sendto", "start_tls", "subprocess_exec", "subprocess_shell",
):  # fmt: skip
    setattr(SimulatedEventLoop, _name, _refused(_name))


def in_order(tasks: Any) -> list[Any]:
    """Return the tasks of loops of this rank, in the order in which they were created."""
    return sorted(tasks, key=_number)


def _number(task: Any) -> int:
    loop = task.get_loop()
    return loop.numbers.get(task, 0) if isinstance(loop, SimulatedEventLoop) else 0
