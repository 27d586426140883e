"""What main knows of the other ranks: where they are, which are gone, and until when it waits for their word.

What becomes of the jobs of a rank that is gone, or that does not answer, is decided in `engine`; how a rank keeps
the time limits of its own jobs belongs in `limits`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from ..durations import exact_duration
from ..engine.engine import JobState
from ..engine.status import JobStatus
from ..exceptions import JobPoolError, JobTimeoutError
from .limits import MAIN_GRACE


class WorkerTable:
    """The other ranks of a pool, as main sees them.

    :param jobs: those of the pool, by id.
    :ivar hosts: by rank: its host; those that are ready have one.
    :ivar gone: ranks that were lost, in that order.
    :ivar deadlines: when main stops waiting for a rank's word on a job with a limit: a heap of (time, job's id, rank).
    """

    def __init__(self, jobs: Sequence[JobState]):
        self._jobs = jobs
        self.hosts: dict[int, str] = {}
        self.gone: dict[int, None] = {}
        self.deadlines: list[tuple[int, int, int]] = []
        self._no_deadline_before = 0

    # -- until when main waits ---------------------------------------------------------------------

    def expect(self, rank: int, job: JobState, limit_at: int) -> None:
        """Main hears from the rank when the job has ended, or is past its limit, which will be at that time."""
        heapq.heappush(self.deadlines, (limit_at + MAIN_GRACE, job._id, rank))

    def main_was_away(self, until: int) -> None:
        """What ranks wait for, such as a large call, they get only now, and their time begins then."""
        self._no_deadline_before = until + MAIN_GRACE

    def next_deadline(self) -> int | None:
        """When main is to give up on the rank of a job that has not ended; None if never."""
        deadlines, jobs = self.deadlines, self._jobs
        while deadlines:
            at, id, rank = deadlines[0]
            job = jobs[id]
            if job._status is JobStatus.RUNNING and job._rank == rank:
                return max(at, self._no_deadline_before + (job._limit or 0))
            heapq.heappop(deadlines)
        return None

    def pop_deadline(self) -> tuple[int, int]:
        """The job's id and the rank of the next deadline, which is past."""
        _, id, rank = heapq.heappop(self.deadlines)
        return id, rank

    # -- in words ----------------------------------------------------------------------------------

    def host(self, rank: int) -> str:
        """A rank's host, as a person reads it."""
        return self.hosts.get(rank, "its host")

    def overran(self, job: JobState, rank: int, what: str, stack: str) -> JobTimeoutError:
        """The error of a job that ran past its limit.

        :param what: what became of it there.
        :param stack: where it was at its limit; empty if nobody knows.
        """
        limit = exact_duration(job._limit or 0)
        on = f"rank {rank} on {self.host(rank)}"
        error = JobTimeoutError(f"It ran for longer than its limit of {limit} on {on}, and {what}")
        if stack:
            error.add_note(f"\nAt its limit, on {on}:\n\n{stack}")
        return error

    def whereabouts(self) -> str:
        """Which job runs where."""
        running = [job for job in self._jobs if job._status is JobStatus.RUNNING]
        lines = [f"{job} on rank {job._rank} on {self.host(job._rank or 0)}" for job in running]
        return "\n    ".join(["Jobs that were running then:", *(lines or ["none"])])

    def nobody_left(self, unfinished: int, stuck: Sequence[int]) -> JobPoolError:
        """The error of a pool that has jobs, and no rank to run them.

        :param unfinished: how many jobs have not ended.
        :param stuck: ranks that are at jobs which can't be interrupted.
        """
        gone = len(self.gone)
        if stuck:
            who = f"rank {stuck[0]} is" if len(stuck) == 1 else f"ranks {', '.join(map(str, stuck))} are"
            why = f"{who} stuck in jobs that can't be interrupted{', the others are gone' if gone else ''}"
        else:
            why = f"{'rank 1 is' if gone == 1 else f'ranks 1 to {gone} are all'} gone"
        have = "job has" if unfinished == 1 else "jobs have"
        return JobPoolError(f"No rank is left to run jobs, and {unfinished} {have} not run: {why}.")
