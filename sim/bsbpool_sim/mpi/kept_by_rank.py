"""Keeps objects for each simulated rank, on behalf of the other files of `mpi`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import getcurrent

from ..kernel import Task

#: What is kept for who is no simulated rank.
_outside: dict[str, Any] = {}


def of_rank(key: str, make: Callable[[], Any]) -> Any:
    """Return the object that the running rank keeps under `key`; it is made on the first call."""
    task = getcurrent()
    kept = task.rank.kept if isinstance(task, Task) else _outside
    if key not in kept:
        kept[key] = make()
    return kept[key]
