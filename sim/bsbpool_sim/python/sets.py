"""Sets that keep the order in which items were added. They replace sets of futures and threads in Python's library.

The order of a set of objects depends on their addresses, which differ from run to run. `concurrent.futures` and
`asyncio` iterate over such sets. On simulated ranks these have this class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from greenlet import getcurrent

from ..kernel import Task


class OrderedSet(set[Any]):
    """A set that iterates over its items in the order in which they were added."""

    def __init__(self, items: Iterable[Any] = ()):
        super().__init__()
        self._order: dict[Any, None] = {}
        self.update(items)

    def add(self, item: Any) -> None:
        """Add an item, as `set.add` does; the other methods are those of `set`, too."""
        super().add(item)
        self._order[item] = None

    def update(self, *others: Iterable[Any]) -> None:
        for items in others:
            for item in items:
                self.add(item)

    def discard(self, item: Any) -> None:
        super().discard(item)
        self._order.pop(item, None)

    def remove(self, item: Any) -> None:
        super().remove(item)
        del self._order[item]

    def pop(self) -> Any:
        item = next(iter(self._order)) if self._order else super().pop()
        self.remove(item)
        return item

    def clear(self) -> None:
        super().clear()
        self._order.clear()

    def difference_update(self, *others: Iterable[Any]) -> None:
        for items in others:
            for item in [*items]:
                self.discard(item)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._order)

    def __sub__(self, other: Any) -> Any:
        return OrderedSet(item for item in self._order if item not in other)

    def copy(self) -> Any:
        return OrderedSet(self._order)

    def __reduce__(self) -> Any:
        return set, ([*self._order],)


def set_of_caller(*items: Any) -> set[Any]:
    """Stands for `set` in modules of Python's library while simulations run."""
    return OrderedSet(*items) if isinstance(getcurrent(), Task) else set(*items)
