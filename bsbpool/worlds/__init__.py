"""Worlds: the ground on which a pool stands. Clocks, tasks, waiting and sending are here, and nowhere else.

A communicator brings its world along: `world_of` finds it. The local world is `local`, that of MPI is
`mpi`; a simulated communicator brings one of its own. What a pool does, and what its messages mean, does
not belong here.
"""

from __future__ import annotations

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
    """The world of the rank whose code runs now; the local one where nothing else is known."""
    world = known_world()
    if world is None:
        from .local import LOCAL

        return LOCAL
    return world


def world_of(comm: Any) -> World:
    """The world in which this rank of `comm` lives.

    :param comm: an mpi4py communicator, a simulated one, or None for this process alone.
    :raises TypeError: it is no communicator.
    :raises JobPoolError: it is COMM_NULL, was freed, or is an intercommunicator.
    """
    if comm is None:
        from .local import LOCAL

        return LOCAL
    brought: World | None = getattr(comm, "bsbpool_world", None)
    if brought is not None:
        return brought
    if isinstance(comm, type) or not all(callable(getattr(comm, each, None)) for each in ("Get_size", "Get_rank")):
        raise TypeError(
            "a pool takes an mpi4py communicator, a simulated one, or None for this process where there is no MPI; it "
            f"can't take {shown(comm)}"
        )
    from .mpi import mpi_world

    return mpi_world(comm)
