"""Worlds: clocks, tasks, waiting and sending, which a pool uses through one interface.

`world_of` returns the world of a communicator: that of `local` without MPI, that of `mpi_world`, or the one of a
simulated communicator. What a pool does, and what its messages mean, does not belong here.
"""

from __future__ import annotations

import functools
from typing import Any

from ..values import shown
from .base import (
    NO_COMMUNICATOR,
    Channel,
    Interruptible,
    Mailbox,
    MultipartMessage,
    RankLost,
    Role,
    World,
    handed_in,
    known_world,
    this_world,
)
from .launcher import find_comm_world

__all__ = [
    "NO_COMMUNICATOR",
    "Channel",
    "Interruptible",
    "Mailbox",
    "MultipartMessage",
    "RankLost",
    "Role",
    "World",
    "current_world",
    "find_comm_world",
    "handed_in",
    "this_world",
    "world_of",
]


def current_world() -> World:
    """Return the world of the rank whose code runs now; by default the local one."""
    return known_world() or _local()


@functools.cache  # which takes a tenth of what an import in a function does
def _local() -> World:
    """Return this process alone. Its module has threads, which not every program needs."""
    from .local import LOCAL

    return LOCAL


def world_of(comm: Any) -> World:
    """Return the world of this rank of a communicator.

    :param comm: an mpi4py communicator, a simulated one, or None for this process alone.
    :raises TypeError: `comm` is not a communicator.
    :raises JobPoolError: it is COMM_NULL, was freed, or is an intercommunicator.
    """
    if comm is None:
        return _local()
    brought: World | None = getattr(comm, "bsbpool_world", None)
    if brought is not None:
        return brought
    if isinstance(comm, type) or not all(callable(getattr(comm, each, None)) for each in ("Get_size", "Get_rank")):
        raise TypeError(
            "a pool takes an mpi4py communicator, a simulated one, or None for this process where there is no MPI; it "
            f"can't take {shown(comm)}"
        )
    from .mpi_world import mpi_world

    return mpi_world(comm)
