"""The hosts of the other ranks, and the errors there, as main needs them for messages.

`bsbpool.engine` decides which ranks are lost or stuck, and what happens to their jobs.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import wording
from ..engine.state import JobState
from ..engine.status import JobStatus
from ..errors_and_facts import error_of
from ..exceptions import JobTimeoutError
from ..facts import Overdue


class WorkerTable:
    """The other ranks of a pool, as main sees them.

    :param jobs: those of the pool, by id.
    :ivar hosts: by rank: its host; those that are ready have one.
    """

    def __init__(self, jobs: Sequence[JobState]):
        self._jobs = jobs
        self.hosts: dict[int, str] = {}

    def host(self, rank: int) -> str:
        """A rank's host, as a person reads it."""
        return self.hosts.get(rank, "its host")

    def overran(self, job: JobState, rank: int, ended: str, place: str, stack: str) -> JobTimeoutError:
        """The error of a job that ran past its limit.

        :param ended: what became of it there, and `place`: where it was then; see `bsbpool.facts.Overdue`.
        :param stack: where it was at its limit; empty if nobody knows.
        """
        host = self.host(rank)
        error: JobTimeoutError = error_of(Overdue(job._limit or 0, rank, host, ended, place))
        if stack:
            error.add_note(wording.stack_of(rank, host, stack))
        return error

    def whereabouts(self) -> str:
        """Which job runs where."""
        running = [job for job in self._jobs if job._status is JobStatus.RUNNING]
        lines = [f"{job} on rank {job._rank} on {self.host(job._rank or 0)}" for job in running]
        return "\n    ".join(["Jobs that were running then:", *(lines or ["none"])])
