"""The locks of windows: several ranks share a lock, or one has it alone; which rank gets it next is a choice.

With late matching, `late_turns` makes this choice late, too. `window_epochs` decides when a rank may ask for a lock.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ..choices import Granted, Kind
from ..chooser import Chooser
from ..kernel import Task
from ..late_turns import Asked, LateTurns, Use
from .contexts import Context

#: Shared locks are alike: in which order they are given does not matter.
_SHARED, _EXCLUSIVE = Use(0, 1, "shared"), Use(0, 1, None)


class _Asker(NamedTuple):
    """A rank that waits for a lock."""

    rank: int
    exclusive: bool
    task: Task


class WindowLock:
    """The lock of one rank's memory: any number of shared holders, or one exclusive.

    :param version: returns how many times the memory was changed.
    """

    def __init__(self, context: Context, target: int, version: Callable[[], int]):
        self._context = context
        self._target = target
        #: rank: whether its lock is exclusive.
        self.holders: dict[int, bool] = {}
        self._queue: deque[_Asker] = deque()
        late, owner = context.cluster.late, context.members[target]
        self._late = None if late is None else LateTurns(late, owner, Kind.LOCK, version, self._allows)

    def acquire(self, rank: int, exclusive: bool) -> None:
        """Wait until `rank` has it."""
        kernel = self._context.cluster.kernel
        asker = _Asker(rank, exclusive, kernel.task)
        self._queue.append(asker)
        if self._late is None:
            self._grant()
        else:
            use, text = _EXCLUSIVE if exclusive else _SHARED, self._alternative(asker)
            self._late.ask(Asked(self._context.members[rank], use, text, functools.partial(self._give, asker)))
        while rank not in self.holders:
            kernel.park(self._why)

    def release(self, rank: int) -> None:
        """Take it from `rank`."""
        exclusive = self.holders.pop(rank)
        if self._late is None:
            self._grant()
        else:
            self._late.freed(self._context.members[rank], _EXCLUSIVE if exclusive else _SHARED)

    def _give(self, asker: _Asker) -> None:
        self._queue.remove(asker)
        self.holders[asker.rank] = asker.exclusive
        self._context.cluster.kernel.wake(asker.task)

    def _allows(self, use: Use) -> bool:
        return not self.holders or not (use is _EXCLUSIVE or any(self.holders.values()))

    def _grant(self) -> None:
        kernel = self._context.cluster.kernel
        while self._queue:
            asker = self._queue[0] if kernel.chooser is None else self._chosen(kernel.chooser)
            if asker is None or not self._free_for(asker):
                return
            # The dead don't release what they hold, but they don't ask any more either.
            if kernel.ranks[self._context.members[asker.rank]].dead_at is None:
                self._give(asker)
            else:
                self._queue.remove(asker)

    def _free_for(self, asker: _Asker) -> bool:
        return self._allows(_EXCLUSIVE if asker.exclusive else _SHARED)

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
        if not self.holders:  # it is decided late who gets it
            return f"its turn at the lock of rank {self._context.members[self._target]}'s window"
        by = " and ".join(self._context.someone(r) for r in list(self.holders)[:5]).rstrip(",")
        kind = "an exclusive" if any(self.holders.values()) else "a shared"
        ahead = f" and {len(self._queue)} ask for it" if len(self._queue) > 1 else ""
        target = self._context.members[self._target]
        return f"the lock of rank {target}'s window: {kind} one is held by {by}{ahead}"
