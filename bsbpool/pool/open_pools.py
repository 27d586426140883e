"""The pools that are open on a rank, by their ids, with which jobs find their pool."""

from __future__ import annotations

from typing import Any, Protocol

from ..exceptions import JobPoolError
from ..worlds import World, current_world


class OpenPool(Protocol):
    """A pool as who looks for it needs it: `bsbpool.pool.JobPool` is one."""

    @property
    def id(self) -> Any:
        """What identifies the pool: whatever its program gave it."""

    @property
    def owner(self) -> Any:
        """Its owner: that of the pool's program."""

    def get_required_cache_items(self) -> set[int]:
        """Return the cached items that its unfinished jobs require."""

    def _folder(self) -> str: ...


def put_in(pool: OpenPool, world: World) -> None:
    """A pool opens on a rank of that world."""
    world.state.setdefault("pools", {}).setdefault(pool.id, []).append(pool)


def take_out(pool: OpenPool, world: World) -> None:
    """A pool closes. It may have been taken out before."""
    pools, id = world.state.get("pools", {}), pool.id
    open_here = pools.get(id)
    if open_here is None:
        return
    if pool in open_here:
        open_here.remove(pool)
    if not open_here:
        del pools[id]


def open_pools() -> list[OpenPool]:
    """The pools that are open on this rank."""
    pools: dict[Any, list[OpenPool]] = current_world().state.get("pools", {})
    return [pool for each in pools.values() for pool in each]


def find_pool(id: Any) -> OpenPool:
    """The pool with that id that was opened last.

    :raises JobPoolError: no such pool is open on this rank.
    """
    pools: dict[Any, list[OpenPool]] = current_world().state.get("pools", {})
    if id not in pools:
        known = ", ".join(repr(i) for i in pools) or "none"
        raise JobPoolError(f"No pool with id {id!r} is open on this rank; open pools: {known}.")
    return pools[id][-1]
