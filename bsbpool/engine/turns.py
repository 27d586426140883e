"""On one rank, only one function of the user runs at a time. This file decides which one runs next.

On one rank, schedulers and jobs run in tasks beside main, so that main can send pings. They take turns: first the
schedulers, one after the other; then the jobs, first in, first out; schedulers that are added later run between two
jobs. Each begins when the one before it has ended, and listeners were notified of that. While one runs, listeners only
get pings, and the notifications that are due before a ping.

`dispatch` decides which job is next; on several ranks there are no turns.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from .state import JobState
from .status import JobStatus


class Turn(Enum):
    """What may begin now."""

    NOBODY = "nobody"
    JOB = "a job"
    SCHEDULER = "a scheduler"
    #: A job that was to run, and has ended before it began: somebody ended it by hand.
    ENDED = "a job that does not run"


class Turns:
    """Whose turn it is on the one rank of a pool."""

    def __init__(self) -> None:
        # Jobs that are running for the engine, and have not begun.
        self._next: deque[JobState] = deque()
        self._job: JobState | None = None

    def add(self, job: JobState) -> None:
        """The engine has decided that a job runs next; it begins when its turn comes."""
        self._next.append(job)

    def taken(self, scheduler_runs: bool) -> bool:
        """Whether a scheduler or a job runs. A job that was given up on does not count: others get their turn."""
        return scheduler_runs or (self._job is not None and self._job._status is JobStatus.RUNNING)

    def gives_out(self, schedulers: int) -> bool:
        """Whether jobs may be given out.

        :param schedulers: how many schedulers have not ended.
        """
        return not schedulers

    def begin(self, schedulers: int, scheduler_runs: bool) -> tuple[Turn, JobState | None]:
        """What begins now, if nothing runs, and which job that is; it counts as begun.

        :param schedulers: how many schedulers have not ended.
        :param scheduler_runs: whether one of these runs.
        """
        if self.taken(scheduler_runs):
            return Turn.NOBODY, None
        if self._next:
            job = self._next.popleft()
            if job._status.ended:
                return Turn.ENDED, job
            self._job = job
            return Turn.JOB, job
        return (Turn.SCHEDULER if schedulers else Turn.NOBODY), None
