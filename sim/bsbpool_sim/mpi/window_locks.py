"""The locks of windows: any number of ranks share one, or one has it alone; who gets it next is a choice.

When a rank may ask for one is in `window_epochs`.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ..choices import Granted, Kind
from ..chooser import Chooser
from ..kernel import Task
from .contexts import Context


class _Asker(NamedTuple):
    """A rank that waits for a lock."""

    rank: int
    exclusive: bool
    task: Task


class WindowLock:
    """The lock of one rank's memory: any number of shared holders, or one exclusive."""

    def __init__(self, context: Context, target: int):
        self._context = context
        self._target = target
        #: rank: whether its lock is exclusive.
        self.holders: dict[int, bool] = {}
        self._queue: deque[_Asker] = deque()

    def acquire(self, rank: int, exclusive: bool) -> None:
        """Wait until `rank` has it."""
        kernel = self._context.cluster.kernel
        self._queue.append(_Asker(rank, exclusive, kernel.task))
        self._grant()
        while rank not in self.holders:
            kernel.park(self._why)

    def release(self, rank: int) -> None:
        """Take it from `rank`."""
        del self.holders[rank]
        self._grant()

    def _grant(self) -> None:
        kernel = self._context.cluster.kernel
        while self._queue:
            asker = self._queue[0] if kernel.chooser is None else self._chosen(kernel.chooser)
            if asker is None or not self._free_for(asker):
                return
            self._queue.remove(asker)
            # The dead don't release what they hold, but they don't ask any more either.
            if kernel.ranks[self._context.members[asker.rank]].dead_at is None:
                self.holders[asker.rank] = asker.exclusive
                kernel.wake(asker.task)

    def _free_for(self, asker: _Asker) -> bool:
        return not self.holders or not (asker.exclusive or any(self.holders.values()))

    def _chosen(self, chooser: Chooser) -> _Asker | None:
        """Who gets it now: by default who asked first, or nobody as long as that one has to wait."""
        could: list[_Asker | None] = [asker for asker in self._queue if self._free_for(asker)]
        if not could or could[0] is not self._queue[0]:
            could.insert(0, None)
        target = self._context.members[self._target]
        return chooser.one_of(Kind.LOCK, target, "Lock", could, self._alternative)

    def _alternative(self, asker: _Asker | None) -> Granted:
        if asker is None:
            return Granted(None, False)
        return Granted(self._context.members[asker.rank], asker.exclusive)

    def _why(self) -> str:
        by = " and ".join(self._context.someone(r) for r in list(self.holders)[:5]).rstrip(",")
        kind = "an exclusive" if any(self.holders.values()) else "a shared"
        ahead = f" and {len(self._queue)} ask for it" if len(self._queue) > 1 else ""
        target = self._context.members[self._target]
        return f"the lock of rank {target}'s window: {kind} one is held by {by}{ahead}"
