"""The state of a job in the engine, and the queue of jobs that leave it in the order of their ids.

The public classes of jobs belong in `bsbpool.pool.jobs`, and dependencies in `graph`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

from .status import JobStatus

PENDING = JobStatus.PENDING


class Links:
    """What is looked at of a job each time that another one that it is linked to is queued or ends: it stands together
    in memory, since in a large graph that is all over it.
    """

    __slots__ = ("_dependents", "_open_dependencies", "_pool_ref", "_status")


class JobState(Links):
    """What the engine knows of a job."""

    __slots__ = ("_cache_items", "_callbacks", "_error", "_id", "_limit", "_rank")

    def __init__(self, cache_items: Sequence[int] = ()):
        self._id = -1
        self._status = PENDING
        self._error: BaseException | None = None
        self._rank: int | None = None
        self._cache_items = cache_items
        #: nanoseconds that it may run for; None: any time.
        self._limit: int | None = None
        self._open_dependencies = 0
        #: its last link to a dependent, see `Graph`; -1: it has none.
        self._dependents = -1
        #: whoever wants to be told of its end, besides listeners.
        self._callbacks: list[Any] | None = None


class Heap:
    """A line of jobs that leave it in the order in which they were added to the pool."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, JobState]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def append(self, job: JobState) -> None:
        """Put a job in its place."""
        heapq.heappush(self._heap, (job._id, job))

    def popleft(self) -> JobState:
        """Take the job out that was added to the pool first."""
        return heapq.heappop(self._heap)[1]

    appendleft = append

    def clear(self) -> None:
        """Take all jobs out."""
        self._heap.clear()
