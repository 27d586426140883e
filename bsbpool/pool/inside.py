"""Refuses operations in jobs and listeners that would need ranks which are busy with their pool.

A job runs while main waits for its end, and a listener runs while workers wait for main. A collective call there, on a
communicator with these ranks, would wait for ever, and so would a pool that is opened on it. Both are refused here.

While a pool executes, its ranks are busy with it, with all their threads. Functions that main runs, such as listeners,
may also run before that: then their context variables mark them.

Calls of MPI that do not go through this library can't be detected.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context, ContextVar
from typing import Any, NamedTuple

from ..exceptions import JobPoolError
from ..worlds import World, current_world


class _Pool(NamedTuple):
    """A pool whose code runs."""

    id: Any
    world: World

    def waits(self) -> set[Any]:
        """The processes that wait for this rank to come back to the pool, or for a job."""
        members = self.world.members()
        # Where a job runs only main is sure to wait: other workers may run jobs that call the same.
        return {*(members[:1] if self.world.rank else members[1:])} - {None}


#: The pools whose code runs, the outermost first; those of one rank keep nobody waiting.
_running: ContextVar[tuple[_Pool, ...]] = ContextVar("bsbpool_inside", default=())


#: Under which name the state of a rank has the pools that it is at work for, whatever thread asks.
_AT_WORK = "pools at work"


class at_work:
    """Until the end of the ``with`` block this rank is at work for that pool, with all its threads."""

    # A class, since a generator takes three times as long, on each rank.

    def __init__(self, id: Any, world: World) -> None:
        self._pool = _Pool(id, world)

    def __enter__(self) -> None:
        world = self._pool.world
        if world.size > 1:
            world.state.setdefault(_AT_WORK, []).append(self._pool)

    def __exit__(self, *exc: object) -> None:
        world = self._pool.world
        if world.size > 1:
            world.state[_AT_WORK].remove(self._pool)


def mark(id: Any, world: World, context: Context) -> None:
    """Note that what is run in these context variables is run by that pool, also while main is not at work for it."""
    if world.size > 1:
        context.run(_running.set, (*context.get(_running, ()), _Pool(id, world)))


def refuse(what: str, world: World) -> None:
    """Refuse what all ranks of a world would have to do together, if some of them wait for this one.

    :param what: what is refused, such as ``"Can't open pool 7"``.
    :raises JobPoolError: a pool runs this code, and ranks that wait for it belong to `world`.
    """
    if world.size == 1:
        return
    for pool in _pools(world):
        if not pool.waits().isdisjoint(world.members()):
            rank = pool.world.rank
            if rank:
                code, others = f"a job of pool {pool.id} on rank {rank}", "main waits for the job's end"
            else:
                code = f"a listener, callback or scheduler of pool {pool.id}"
                others = "the other ranks are at work for that pool"
            raise JobPoolError(
                f"{what} from within {code}: all ranks of its communicator would have to take part, but {others}. "
                "Use MPI.COMM_SELF, which is this rank alone: bsbpool.Owner(MPI.COMM_SELF)."
            )


def is_inside(world: World) -> bool:
    """Return whether a pool of several ranks runs this code, which is about to use that world."""
    if _running.get() or world.state.get(_AT_WORK):
        return True
    here = current_world()
    return here is not world and bool(here.state.get(_AT_WORK))


def _pools(world: World) -> Sequence[_Pool]:
    """The pools that run this code: those of its context variables, and those that its rank is at work for.

    A thread that the program has started may not know its rank: it is that of the world, then.
    """
    of_rank, of_world = (each.state.get(_AT_WORK, ()) for each in (current_world(), world))
    return (*_running.get(), *of_rank, *of_world)
