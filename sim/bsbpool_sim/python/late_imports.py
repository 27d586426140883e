"""Adapts modules to simulated ranks once a program has imported them: `concurrent.futures` and `asyncio`, mainly.

They use threads, locks and clocks, which are virtual already. This file adapts the rest: their state of the process,
and the order of sets. The event loop is in `event_loop`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from ..kernel import Task
from ..virtual import real
from .sets import OrderedSet
from .threads import current_thread, threads_of

#: By the module that brings them: names that are replaced while simulations run.
LATE: dict[str, list[str]] = {
    "sched": [],  # its default arguments, which have no name
    "numpy.random": [],  # its functions are another module's, as `chance` has them
    "concurrent.futures._base": ["concurrent.futures._base.set"],
    "concurrent.futures.thread": ["concurrent.futures.thread.set"],
}

LATE["asyncio"] = [f"asyncio.{name}.set" for name in ("tasks", "taskgroups", "queues", "locks")]

OF_LATE: dict[str, Callable[..., Any]] = {}

_F = TypeVar("_F", bound=Callable[..., Any])


def _for(module: str, *names: str) -> Callable[[_F], _F]:
    def keep(function: _F) -> _F:
        LATE.setdefault(module, []).extend(names)
        OF_LATE.update(dict.fromkeys(names, function))
        return function

    return keep


@_for("concurrent.futures.thread", "concurrent.futures.thread.ThreadPoolExecutor._counter")
def _number_of_executor(task: Task) -> int:
    return threads_of(task.rank).name("ThreadPoolExecutor", 0)


@_for("concurrent.futures._base", "concurrent.futures._base.Future.done")
def _done(task: Task, self: Any) -> bool:
    done = bool(real["concurrent.futures._base.Future.done"](self))
    if not done:
        task.kernel.read_clock()
    return done


@_for("concurrent.futures._base", "concurrent.futures._base._AcquireFutures.__init__")
def _in_one_order(task: Task, self: Any, futures: Any) -> None:
    # Python locks them in the order of their addresses, which is another one in each run.
    self.futures = sorted(futures, key=lambda each: _number_of_future(task, each))


@_for("concurrent.futures._base", "concurrent.futures._base.Future.__hash__")
def _number_of_future(task: Task, self: Any) -> int:
    """Also its hash, so that a set of futures has one order in each run, whoever makes it."""
    if "_number" not in self.__dict__:
        self._number = threads_of(task.rank).name("number of a future", 1)
    number: int = self._number
    return number


def leave_event_loop() -> Any:
    """Tell Python that this thread runs no event loop, since its ranks run their own. Return the loop that it runs, or
    None.
    """
    module = sys.modules.get("asyncio.events")
    loop = None if module is None else module._get_running_loop()
    if loop is not None:
        enter_event_loop(None)
    return loop


def enter_event_loop(loop: Any) -> None:
    """Tell Python that this thread runs this event loop again; None: it runs none."""
    sys.modules["asyncio.events"]._set_running_loop(loop)


# -- asyncio ---------------------------------------------------------------------------------------------------


@_for("asyncio", "asyncio.events.BaseDefaultEventLoopPolicy.new_event_loop")
def _new_event_loop(task: Task, self: Any) -> Any:
    from .event_loop import SimulatedEventLoop

    return SimulatedEventLoop()


@_for("asyncio", "asyncio.events.BaseDefaultEventLoopPolicy.get_event_loop")
def _get_event_loop(task: Task, self: Any) -> Any:
    loops = threads_of(task.rank).loops
    if task not in loops and task is task.rank.main:
        loops[task] = _new_event_loop(task, self)
    if loops.get(task) is None:
        raise RuntimeError(f"There is no current event loop in thread {current_thread(task).name!r}.")
    return loops[task]


@_for("asyncio", "asyncio.events.BaseDefaultEventLoopPolicy.set_event_loop")
def _set_event_loop(task: Task, self: Any, loop: Any) -> None:
    threads_of(task.rank).loops[task] = loop


@_for("asyncio", "asyncio.events.new_event_loop", "asyncio.new_event_loop")
def _new_loop(task: Task) -> Any:
    return _new_event_loop(task, None)


@_for("asyncio", "asyncio.tasks.all_tasks", "asyncio.all_tasks")
def _all_tasks(task: Task, loop: Any = None) -> Any:
    from .event_loop import in_order

    return OrderedSet(in_order(real["asyncio.tasks.all_tasks"](loop)))


@_for("asyncio", "asyncio.runners.signal.getsignal")
def _getsignal(task: Task, number: int) -> Any:
    # A runner that finds Python's own handler would handle Ctrl-C itself, which is for all ranks.
    asks = sys._getframe(2).f_globals.get("__name__")
    return None if asks == "asyncio.runners" else real["asyncio.runners.signal.getsignal"](number)


# -- futures ---------------------------------------------------------------------------------------------------


@_for("concurrent.futures", "concurrent.futures.wait")
def _wait(task: Task, *args: Any, **kwargs: Any) -> Any:
    # Where there is nothing to wait for it returns at once: who calls it in a loop waits for others to go on.
    task.kernel.read_clock()
    return real["concurrent.futures.wait"](*args, **kwargs)
