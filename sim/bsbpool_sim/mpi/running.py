"""Which simulated rank runs now. Its communicators are in `communicators`."""

from __future__ import annotations

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
