"""Caches of nodes' methods, which are kept as long as unfinished jobs require them.

This file defines cached items, and how a rank frees them. The engine decides which items are required.
"""

from __future__ import annotations

import functools
import sys
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from ..values import add_note, text_of
from ..worlds import current_world

__all__ = ["free_items", "free_stale_pool_cache", "get_node_cache_items", "pool_cache"]

F = TypeVar("F", bound=Callable[..., Any])


def cache_id(node: Any, method: str) -> int:
    """The id of what `method` of `node` caches: a CRC-32 of both names, equal on all ranks."""
    return zlib.crc32(f"{node.get_node_name()}.{method}".encode())


class CacheInfo(NamedTuple):
    """The state of a pool-cached method's memory, with the fields of `functools.cache`'s.

    :ivar hits: calls that were answered from memory.
    :ivar misses: calls that were not.
    :ivar maxsize: None, since there is no limit.
    :ivar currsize: how many results there are.
    """

    hits: int
    misses: int
    maxsize: None
    currsize: int


class _Memory:
    """The results of one method for one node and owner; the clean-up function that is registered with the owner.

    The owner alone keeps it alive, and it keeps the node and the owner alive: as long as it is in an index by their
    `id()`, no other object can have these.
    """

    def __init__(self, index: WeakValueDictionary[tuple[int, int], _Memory], node: Any, owner: Any):
        self._index = index
        self._node = node
        self._owner = owner
        self._place = (id(owner), id(node))
        #: whose memory it is: of simulated ranks, each has a state of its own.
        self.state = current_world().state
        self.results: dict[Any, Any] = {}
        self.hits = self.misses = 0
        index[self._place] = self

    def belongs_to(self, node: Any, owner: Any) -> bool:
        """Whether it is the memory of that very node and owner."""
        return self._node is node and self._owner is owner

    def clear(self) -> None:
        """Forget all results."""
        self.results.clear()
        self.hits = self.misses = 0

    def __reduce__(self) -> tuple[type[_NoMemory], tuple[()]]:
        return _NoMemory, ()

    def __call__(self) -> None:
        """The item is freed: the next call makes a new memory, and registers that."""
        self.clear()
        if self._index.get(self._place) is self:
            del self._index[self._place]


class _NoMemory:
    """The clean-up function of a copied or unpickled owner, whose nodes have nothing in memory yet."""

    def __call__(self) -> None:
        pass


def pool_cache(method: F) -> F:
    """Cache the results of a method of a node, per node and arguments, as long as unfinished jobs require them.

    The node has `get_node_name()` and `scaffold`, the owner. The cached results of one node are one item, which is
    registered with the owner under the id ``crc32(f"{node.get_node_name()}.{method name}")``. The item is kept while
    an unfinished job requires this id. After that, a rank frees it before its next job, and at the latest when
    `execute()` ends. If no pool frees it, it is freed with its owner. Items of other nodes are not affected.

    The method gets `get_pool_cache_id(node)` and, as with `functools.cache`, `cache_clear()`, `cache_info()` and
    `__wrapped__`; they apply to all nodes of this rank.

    :param method: the method; objects of its class need not be hashable, comparable or weakly referable.
    :returns: the caching method.
    :raises TypeError: the caching method is called with an argument that is not hashable.

    >>> from bsbpool import Owner, pool_cache
    >>> class Golgi:
    ...     def __init__(self, owner):
    ...         self.scaffold = owner
    ...     def get_node_name(self):
    ...         return "golgi"
    ...     @pool_cache
    ...     def tree(self):
    ...         print("reads the tree")
    ...         return "a large tree"
    >>> golgi = Golgi(Owner())
    >>> golgi.tree(), golgi.tree()
    reads the tree
    ('a large tree', 'a large tree')
    """
    memories: WeakValueDictionary[tuple[int, int], _Memory] = WeakValueDictionary()
    name = method.__name__

    @functools.wraps(method)
    def cached(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = self.scaffold
        memory = memories.get((id(owner), id(self)))
        if memory is None or not memory.belongs_to(self, owner):
            memory = _Memory(memories, self, owner)
            owner.register_pool_cached_item(cache_id(self, name), memory)
        key = (args, tuple(kwargs.items())) if kwargs else args
        try:
            result = memory.results[key]
        except KeyError:
            pass
        except TypeError as error:
            if "unhashable" not in text_of(error):
                raise
            raise TypeError(
                f"{name}() is pool-cached, so that its arguments must be hashable: {text_of(error)}"
            ) from None
        else:
            memory.hits += 1
            return result
        memory.misses += 1
        result = memory.results[key] = method(self, *args, **kwargs)
        return result

    def of_this_rank() -> list[_Memory]:
        state = current_world().state
        return [memory for memory in memories.values() if memory.state is state]

    def cache_clear() -> None:
        for memory in of_this_rank():
            memory.clear()

    def cache_info() -> CacheInfo:
        mine = of_this_rank()
        return CacheInfo(
            sum(memory.hits for memory in mine),
            sum(memory.misses for memory in mine),
            None,
            sum(len(memory.results) for memory in mine),
        )

    given: Any = cached
    given.get_pool_cache_id = lambda node: cache_id(node, name)
    given.cache_clear, given.cache_info = cache_clear, cache_info
    return given  # type: ignore[no-any-return]


def get_node_cache_items(node: Any) -> list[int]:
    """Return the ids of the cached items of a node's pool-cached methods, and of those of its child nodes.

    A node's children are what its `walk_nodes()` yields, or what BSB finds in a configuration node.

    :param node: an object with `get_node_name()`.
    :returns: the ids, each once.

    >>> from bsbpool.pool import get_node_cache_items, pool_cache
    >>> class Golgi:
    ...     def get_node_name(self):
    ...         return "golgi"
    ...     @pool_cache
    ...     def tree(self):
    ...         return "a large tree"
    >>> get_node_cache_items(Golgi()) == [Golgi.tree.get_pool_cache_id(Golgi())]
    True
    """
    items: dict[int, None] = {}
    for each in _walk(node):
        for name in dir(type(each)):
            # BSB's own pool_cache puts the same attribute on what it decorates, with the same ids.
            get_id = getattr(getattr(type(each), name, None), "get_pool_cache_id", None)
            if get_id is not None:
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
    """Free every cached item of the owner that is not required.

    :param owner: the owner of the cache on this rank.
    :param required_cache_items: the ids that unfinished jobs require.
    :returns: the ids of the freed items.
    :raises ExceptionGroup: clean-up functions raised; all items were freed nevertheless.

    >>> from bsbpool import Owner
    >>> from bsbpool.pool import free_stale_pool_cache
    >>> owner = Owner()
    >>> for item in 1, 2:
    ...     owner.register_pool_cached_item(item, lambda: print("freed"))
    >>> free_stale_pool_cache(owner, required_cache_items=[2])
    freed
    [1]
    """
    required = {*required_cache_items}  # an array answers `in` by comparing all that it has
    return free_items(owner, [item for item in owner._pool_cache if item not in required])


def free_items(owner: Any, items: Iterable[int]) -> list[int]:
    """Free these cached items of the owner, where it has them.

    :param owner: the owner of the cache on this rank.
    :param items: the ids.
    :returns: the ids of the items that it had.
    :raises ExceptionGroup: clean-up functions raised; all items were freed nevertheless.
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
                add_note(error, f"while cached item {item} was freed")
                errors.append(error)
    if errors:
        raise ExceptionGroup("clean-up of cached items failed", errors)
    return freed
