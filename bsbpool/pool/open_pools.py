"""The pools that are open on a rank, by their ids: jobs find theirs there. What a pool does is in `job_pool`."""

from __future__ import annotations

from typing import Any

from ..exceptions import JobPoolError
from ..worlds import World, current_world


def put_in(pool: Any, world: World) -> None:
    """A pool opens on a rank of that world."""
    world.state.setdefault("pools", {}).setdefault(pool.id, []).append(pool)


def take_out(pool: Any, world: World) -> None:
    """A pool closes. It may have been taken out before."""
    pools, id = world.state.get("pools", {}), pool.id
    open_here = pools.get(id)
    if open_here is None:
        return
    if pool in open_here:
        open_here.remove(pool)
    if not open_here:
        del pools[id]


def open_pools() -> list[Any]:
    """The pools that are open on this rank."""
    pools: dict[Any, list[Any]] = current_world().state.get("pools", {})
    return [pool for each in pools.values() for pool in each]


def find_pool(id: Any) -> Any:
    """The pool with that id that was opened last.

    :raises JobPoolError: no such pool is open on this rank.
    """
    pools: dict[Any, list[Any]] = current_world().state.get("pools", {})
    if id not in pools:
        known = ", ".join(repr(i) for i in pools) or "none"
        raise JobPoolError(f"No pool with id {id!r} is open on this rank; open pools: {known}.")
    return pools[id][-1]
