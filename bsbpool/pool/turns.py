"""On one rank: starts the scheduler or job that runs next, one at a time.

`bsbpool.engine.turns` decides which one is next; schedulers belong in `scheduling`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..engine.engine import Engine
from ..engine.state import JobState
from ..engine.turns import Turn, Turns
from .scheduling import Schedulers

__all__ = ["OneRank"]


class OneRank:
    """The turns of schedulers and jobs on the one rank of a pool.

    :param engine: the pool's engine.
    :param schedulers: the pool's schedulers.
    :param send: hands a message to the task that runs jobs.
    """

    def __init__(self, engine: Engine[Any], schedulers: Schedulers, send: Callable[[Any], None]):
        self._engine = engine
        self._schedulers = schedulers
        self._send = send
        self._turns = Turns()
        # The orders to run the jobs whose turn has not come, as they were added.
        self._orders: deque[Any] = deque()

    @property
    def taken(self) -> bool:
        """Whether a scheduler or a job runs."""
        return self._turns.taken(self._schedulers.running)

    @property
    def gives_out(self) -> bool:
        """Whether jobs may be given out."""
        return self._turns.gives_out(self._schedulers.left)

    def order(self, message: Any, job: JobState) -> None:
        """The engine has decided that a job runs next; `begin_next` hands its order over when its turn has come."""
        self._turns.add(job)
        self._orders.append(message)

    def begin_next(self) -> bool:
        """Begin what comes next, if nothing runs. Returns whether the engine has decided anything by that."""
        turn, job = self._turns.begin(self._schedulers.left, self._schedulers.running)
        if turn is Turn.SCHEDULER:
            self._schedulers.start_next()
        elif job is not None:
            order = self._orders.popleft()
            if turn is Turn.ENDED:
                self._engine.finished(job, None)
                return True
            self._send(order)
        return False
