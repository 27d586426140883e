"""Which simulated rank runs now, and what it makes. Its communicators are in `communicators`."""

from __future__ import annotations

from typing import Any

from greenlet import getcurrent

from ..errors import SimulationError
from ..kernel import Rank, Task


def running_task() -> Task:
    """The task that runs now; its `rank` is the simulated rank, and its `kernel` that of the simulation.

    :raises SimulationError: none does.
    """
    task = getcurrent()
    if not isinstance(task, Task) or task.kernel.cluster is None:
        raise SimulationError("the MPI of simulated ranks was used outside of a program under simulate()")
    return task


def running_rank() -> Rank | None:
    """The simulated rank that runs now; None if none does."""
    task = getcurrent()
    return task.rank if isinstance(task, Task) else None


def note_made(thing: Any, what: str) -> None:
    """Tell who looks for it that the program has made something that it has to free.

    :param what: what it is, in words.
    """
    task = getcurrent()
    if isinstance(task, Task) and task.kernel.cluster.audit is not None:
        task.kernel.cluster.audit.made(thing, what)
