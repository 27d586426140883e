"""Time limits: whether a limit can still be set, and when main gives up waiting for a rank.

A rank interrupts its job at the limit, by its own clock, and reports. If it can't interrupt the job, or does not
answer, the job is aborted, and its rank remains occupied until it reports the end of that job. How a rank enforces
limits belongs in `bsbpool.pool.limits`; `failure` decides the status of a job that has reached its limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from ..exceptions import JobPoolError
from .state import JobState
from .status import JobStatus

#: Nanoseconds that an interrupted job has to come to its end (its ``finally`` blocks), before it counts as stuck.
GRACE = 1_000_000_000

#: Nanoseconds past a limit after which main no longer waits for the rank's word.
MAIN_GRACE = 4_000_000_000

#: Nanoseconds of listeners' work after which ranks may have had to wait for main.
AWAY = MAIN_GRACE // 4


class Deadlines:
    """When main stops waiting for a rank's word on a job with a limit.

    :param jobs: those of the pool, by id.
    :ivar heap: (time, job's id, rank), the next one first; those of jobs that have ended go when they come up.
    """

    def __init__(self, jobs: Sequence[JobState]) -> None:
        self._jobs = jobs
        self.heap: list[tuple[int, int, int]] = []
        # By a job's id: the time in its last entry. One that runs again leaves an older one behind.
        self._last: dict[int, int] = {}
        self._none_before = 0

    def expect(self, rank: int, job: JobState, limit_at: int) -> None:
        """Main hears from the rank when the job has ended, or is past its limit, which will be at that time."""
        at = self._last[job._id] = limit_at + MAIN_GRACE
        heapq.heappush(self.heap, (at, job._id, rank))

    def main_was_away(self, since: int, until: int) -> None:
        """Main has told listeners. What ranks wait for, such as a large call, they get only now if that took long, and
        their time begins then."""
        if until - since >= AWAY:
            self._none_before = until + MAIN_GRACE

    def next(self) -> int | None:
        """When main is to give up on the rank of a job that has not ended; None if never."""
        heap, jobs = self.heap, self._jobs
        while heap:
            at, id, rank = heap[0]
            job = jobs[id]
            if job._status is JobStatus.RUNNING and job._rank == rank and self._last[id] == at:
                return max(at, self._none_before + (job._limit or 0))
            heapq.heappop(heap)
        return None

    def pop(self) -> tuple[int, int]:
        """The job's id and the rank of the next one, which is past."""
        _, id, rank = heapq.heappop(self.heap)
        return id, rank


def check_can_change(job: JobState, ahead: bool) -> None:
    """Refuse to set the limit of a job that may have started.

    :param ahead: whether it was sent ahead.
    :raises JobPoolError: it may have.
    """
    if job._status is JobStatus.RUNNING or job._status.ended or ahead:
        raise JobPoolError(
            f"The timeout of {job} can't change any more, it is {job._status.value}: set it before the job "
            "starts, or hand it over with queue(…, timeout=seconds)."
        )
