"""Caches of nodes' methods that live as long as unfinished jobs require them.

Which items are required is the engine's to say; here is what an item is, and how a rank frees it.
"""

from __future__ import annotations

import functools
import sys
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

__all__ = ["free_items", "free_stale_pool_cache", "get_node_cache_items", "pool_cache"]

F = TypeVar("F", bound=Callable[..., Any])


def cache_id(node: Any, method: str) -> int:
    """The id of what `method` of `node` caches: a CRC-32 of both names, equal on all ranks."""
    return zlib.crc32(f"{node.get_node_name()}.{method}".encode())


def pool_cache(method: F) -> F:
    """Memoise a method of a node, per node and arguments, for as long as unfinished jobs require it.

    The node has `get_node_name()` and `scaffold`, the owner; with it the memory is registered, under
    ``crc32(f"{node.get_node_name()}.{method name}")``. Jobs that carry this id keep it; once no unfinished job
    does, a rank frees it before its next job, and at the latest when `execute()` ends. Freeing one node's item
    leaves those of other nodes alone.

    :raises TypeError: an argument is not hashable.
    """
    entries: dict[tuple[Any, ...], dict[Any, Any]] = {}
    name = method.__name__

    @functools.wraps(method)
    def cached(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = self.scaffold
        place = (id(owner), id(self))
        memory = entries.get(place)
        if memory is None:
            memory = entries[place] = {}

            def free(node: Any = self, owner: Any = owner) -> None:
                # Holding the node and its owner keeps their ids from being used again before this is freed.
                entries.pop((id(owner), id(node)), None)

            owner.register_pool_cached_item(cache_id(self, name), free)
        key = (args, tuple(kwargs.items())) if kwargs else args
        try:
            return memory[key]
        except KeyError:
            result = memory[key] = method(self, *args, **kwargs)
            return result
        except TypeError as error:
            if "unhashable" not in str(error):
                raise
            raise TypeError(f"{name}() is pool-cached, so that its arguments must be hashable: {error}") from None

    cached.get_pool_cache_id = lambda node: cache_id(node, name)  # type: ignore[attr-defined]
    return cached  # type: ignore[return-value]


def get_node_cache_items(node: Any) -> list[int]:
    """The ids of what the pool-cached methods of a node keep, and those of its child nodes.

    A node's children are what its `walk_nodes()` yields, or what BSB finds in a configuration node.
    """
    items: dict[int, None] = {}
    for each in _walk(node):
        for name in dir(type(each)):
            # BSB's own pool_cache puts the same attribute on what it decorates, with the same ids.
            if get_id := getattr(getattr(type(each), name, None), "get_pool_cache_id", None):
                items[get_id(each)] = None
    return list(items)


def _walk(node: Any) -> Iterator[Any]:
    yield node
    children: Iterable[Any] = ()
    if callable(getattr(node, "walk_nodes", None)):
        children = node.walk_nodes()
    elif "bsb.config" in sys.modules and hasattr(type(node), "_config_attrs"):
        children = sys.modules["bsb.config"].walk_nodes(node)
    for child in children:
        if child is not node and callable(getattr(child, "get_node_name", None)):
            yield child


def free_stale_pool_cache(owner: Any, required_cache_items: Collection[int]) -> list[int]:
    """Free every cached item of the owner that is not required, and return their ids.

    :raises ExceptionGroup: what clean-up functions raised; all items were freed none the less.
    """
    return free_items(owner, [item for item in owner._pool_cache if item not in required_cache_items])


def free_items(owner: Any, items: Iterable[int]) -> list[int]:
    """Free these cached items of the owner, where it has them, and return the ids of those it had.

    :raises ExceptionGroup: what clean-up functions raised; all items were freed none the less.
    """
    freed, errors = [], []
    for item in items:
        cleanups = owner._pool_cache.pop(item, None)
        if cleanups is None:
            continue
        freed.append(item)
        for cleanup in cleanups:
            try:
                cleanup()
            except Exception as error:
                error.add_note(f"while cached item {item} was freed")
                errors.append(error)
    if errors:
        raise ExceptionGroup("clean-up of cached items failed", errors)
    return freed
