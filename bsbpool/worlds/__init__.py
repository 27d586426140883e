"""Worlds: the ground on which a pool stands. Clocks, tasks, waiting and sending are here, and nowhere else.

A communicator brings its world along: `world_of` finds it. The local world is `local`, that of MPI is
`mpi`; a simulated communicator brings one of its own. What a pool does, and what its messages mean, does
not belong here.
"""

from __future__ import annotations

from typing import Any

from .base import Channel, Interruptible, Lost, Mailbox, Split, World, current_world, handed_in, this_world
from .launcher import find_comm_world

__all__ = [
    "Channel",
    "Interruptible",
    "Lost",
    "Mailbox",
    "Split",
    "World",
    "current_world",
    "find_comm_world",
    "handed_in",
    "this_world",
    "world_of",
]


def world_of(comm: Any) -> World:
    """The world in which this rank of `comm` lives.

    :param comm: an mpi4py communicator, a simulated one, or None for this process alone.
    """
    if comm is None:
        from .local import LOCAL

        return LOCAL
    brought: World | None = getattr(comm, "bsbpool_world", None)
    if brought is not None:
        return brought
    from .mpi import mpi_world

    return mpi_world(comm)
