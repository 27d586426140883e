"""What becomes of `concurrent.futures` and `asyncio` on simulated ranks, once a program has imported them.

They are made of threads, locks and clocks, which are virtual. What is left is what one process keeps for all, and the
order of sets. The event loop itself is in `event_loop`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..kernel import Task
from ..virtual import real
from .threads import threads_of

#: By the module that brings them: names that are replaced while simulations run.
LATE: dict[str, list[str]] = {
    "sched": [],  # its default arguments, which have no name
    "concurrent.futures._base": ["concurrent.futures._base.set"],
    "concurrent.futures.thread": ["concurrent.futures.thread.set"],
}

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
