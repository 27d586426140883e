"""What a simulated rank keeps of its own in the chapters of MPI. What that is, the chapters know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import getcurrent

from ..kernel import Task

#: What is kept for who is no simulated rank.
_outside: dict[str, Any] = {}


def of_rank(key: str, make: Callable[[], Any]) -> Any:
    """What the simulated rank that runs now keeps under `key`; made when it is asked for first."""
    task = getcurrent()
    kept = task.rank.kept if isinstance(task, Task) else _outside
    if key not in kept:
        kept[key] = make()
    return kept[key]
