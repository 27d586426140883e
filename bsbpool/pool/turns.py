"""One rank: nothing of the user's runs beside something else of the user's.

On one rank, schedulers and jobs run in tasks beside main, so that main can go on to ping. This file holds the rule by
which they take turns: the schedulers first, one after the other; then the jobs, first in, first out; schedulers that
come later run between two jobs. Each begins when the one before it has ended, and listeners have heard of that. Only
pings, and what is to be told when one is due, come while one runs.

Which job is next is decided in `engine`; what a scheduler does is in `scheduling`. On several ranks there are no turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..engine.engine import Engine
from ..engine.state import JobState
from ..engine.status import JobStatus
from .scheduling import Schedulers


class Turns:
    """Who runs next on the one rank of a pool.

    :param engine: the pool's engine; it gives out no jobs while schedulers wait.
    :param schedulers: the pool's schedulers.
    :param send: hands a message to the task that runs jobs.
    """

    def __init__(self, engine: Engine[Any], schedulers: Schedulers, send: Callable[[Any], None]):
        self._engine = engine
        self._schedulers = schedulers
        self._send = send
        # Orders to run a job that are not handed over yet: the message, and the job.
        self._orders: deque[tuple[Any, JobState]] = deque()
        self._job: JobState | None = None

    @property
    def taken(self) -> bool:
        """Whether a scheduler or a job runs. A job that was given up on does not count: others get their turn."""
        job = self._job
        return self._schedulers.running or (job is not None and job._status is JobStatus.RUNNING)

    def order(self, message: Any, job: JobState) -> None:
        """The engine has decided that a job runs next; it begins when `begin_next` hands the order over."""
        self._orders.append((message, job))

    def begin_next(self) -> bool:
        """Begin what comes next, if nothing runs. Returns whether the engine has decided anything by that."""
        if self.taken:
            return False
        if self._orders:
            message, job = self._orders.popleft()
            if job._status.ended:
                self._engine.finished(job, None)  # somebody ended it by hand before it began: no rank runs it
                return True
            self._job = job
            self._send(message)
        elif self._schedulers.left:
            self._schedulers.start_next()
        return False
