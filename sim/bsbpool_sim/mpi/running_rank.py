"""Finds the simulated rank that runs now, and its state. Its communicators are in `communicators`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from greenlet import getcurrent

from ..errors import SimulationError
from ..kernel import Rank, Task

T = TypeVar("T")


def running_task() -> Task:
    """Return the task that runs now; its `rank` is the simulated rank, and its `kernel` that of the simulation.

    :raises SimulationError: none does.
    """
    task = getcurrent()
    if not isinstance(task, Task) or task.kernel.cluster is None:
        raise SimulationError("the MPI of simulated ranks was used outside of a program under simulate()")
    return task


def running_rank() -> Rank | None:
    """Return the simulated rank that runs now; None if none does."""
    task = getcurrent()
    return task.rank if isinstance(task, Task) else None


def kept_on_rank(key: str, make: Callable[[], T]) -> T:
    """Return what the rank that runs now keeps under `key`; made when it is asked for first.

    :raises SimulationError: no rank runs. `own.of_rank` serves those too who are on no rank.
    """
    kept = running_task().rank.kept
    if key not in kept:
        kept[key] = make()
    found: T = kept[key]
    return found


def note_made(thing: Any, what: str) -> None:
    """Tell the check for leaks, if there is one, that the program has made an object that it has to free.

    :param what: what it is, in words.
    """
    task = getcurrent()
    if isinstance(task, Task) and task.kernel.cluster.audit is not None:
        task.kernel.cluster.audit.made(thing, what)
