"""Counts jobs for listeners: by strategy, by rank, and how many are left. It displays nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..engine.status import JobStatus
from ..pool.progress import PoolJobAddedProgress, PoolJobUpdateProgress, PoolProgress, PoolProgressReason
from ..trace.format import describe_error

if TYPE_CHECKING:
    from ..pool.jobs import Job

#: How many failures are kept with their errors; all are counted.
MOST_FAILURES = 20


class StrategyTally:
    """Counts of the jobs of one submitter; times are in nanoseconds."""

    __slots__ = ("cancelled", "ended", "failed", "jobs", "name", "ran", "running", "took")

    def __init__(self, name: str):
        self.name = name
        self.jobs = self.running = self.ended = self.failed = self.cancelled = self.ran = self.took = 0


class FailedJob:
    """A job that failed or was aborted, as text."""

    def __init__(self, job: Job, status: JobStatus):
        self.what = job.description
        self.status = status
        self.rank = job._rank
        self.error = describe_error(job._error)


class Tally:
    """The counts of a pool; it must get all notifications, in order."""

    def __init__(self) -> None:
        #: by name, in the order of their first jobs.
        self.strategies: dict[str, StrategyTally] = {}
        self.total = StrategyTally("")
        #: running jobs by id, the longest first: the job, and its start on main's clock.
        self.running: dict[int, tuple[Job, int]] = {}
        self.failures: list[FailedJob] = []
        #: the time of the first and of the last event, on main's clock.
        self.since: int | None = None
        self.quiet_since = 0
        #: how many ranks run jobs.
        self.workers = 1
        #: pings since something last happened.
        self.pings = 0
        self._known = 0

    def count(self, progress: PoolProgress) -> None:
        """Take in a notification."""
        now = progress.time_ns
        if progress.reason is PoolProgressReason.MAX_TIMEOUT_PING:
            self.pings += 1
            return
        if self.since is None:
            self.since = now
            self.workers = max(1, progress.ranks - 1)
        self.quiet_since, self.pings = now, 0
        if isinstance(progress, PoolJobUpdateProgress):
            self._know(progress, progress.job)
            self._update(progress.job, progress.old_status, progress.status, now)
        elif isinstance(progress, PoolJobAddedProgress):
            self._know(progress, progress.job)

    def _know(self, progress: PoolProgress, job: Job) -> None:
        """Count a new job, and the jobs before it that were queued before the listener was added."""
        if job._id < self._known:
            return
        new: Iterable[Job] = (job,) if job._id == self._known else progress.jobs[self._known : job._id + 1]
        self._known = job._id + 1
        for each in new:
            self._strategy(each).jobs += 1
            self.total.jobs += 1

    def _strategy(self, job: Job) -> StrategyTally:
        name = job.name
        found = self.strategies.get(name)
        if found is None:
            found = self.strategies[name] = StrategyTally(name)
        return found

    def _update(self, job: Job, old: JobStatus, status: JobStatus, now: int) -> None:
        rows = self._strategy(job), self.total
        if status is JobStatus.RUNNING:
            self.running[job._id] = (job, now)
            for row in rows:
                row.running += 1
            return
        took = 0
        if old is JobStatus.RUNNING:
            _, began = self.running.pop(job._id, (job, now))
            took = now - began
            for row in rows:
                row.running -= 1
        if not status.ended:
            return
        for row in rows:
            row.ended += 1
            row.cancelled += status is JobStatus.CANCELLED
            row.failed += status in (JobStatus.FAILED, JobStatus.ABORTED)
            if status is JobStatus.SUCCESS:
                row.ran += 1
                row.took += took
        if status in (JobStatus.FAILED, JobStatus.ABORTED) and len(self.failures) < MOST_FAILURES:
            self.failures.append(FailedJob(job, status))

    def elapsed(self, now: int) -> float:
        """Seconds since the pool was opened."""
        return (now - self.since) / 1e9 if self.since is not None else 0.0

    def quiet(self, now: int) -> float:
        """Seconds since something last happened."""
        return (now - self.quiet_since) / 1e9

    def left(self, now: int) -> float | None:
        """Estimate the seconds until all jobs that are known have ended; None if no job has ended yet.

        Each job is assumed to take the mean time of its strategy, on the rank that is free first. If no job of a
        strategy has ended, its jobs take the mean time of all jobs, but at least as long as they have been running.
        """
        if not self.total.ran:
            return None
        average = self.total.took / self.total.ran
        means = {s.name: s.took / s.ran if s.ran else average for s in self.strategies.values()}
        for job, began in self.running.values():
            if not self.strategies[job.name].ran:
                means[job.name] = max(means[job.name], now - began)
        free = [max(0.0, means[job.name] - (now - began)) for job, began in self.running.values()]
        free += [0.0] * (self.workers - len(free))
        heapq.heapify(free)
        for s in self.strategies.values():
            waiting, mean = s.jobs - s.ended - s.running, means[s.name]
            # Many jobs are first divided equally among the ranks, so that the cost does not grow with their number.
            rounds = max(0, waiting // len(free) - 2)
            if rounds:
                free = [each + rounds * mean for each in free]
            for _ in range(waiting - rounds * len(free)):
                heapq.heapreplace(free, free[0] + mean)
        return max(free) / 1e9

    def words(self) -> str:
        """Say how many jobs ended with which status."""
        total = self.total
        counts = (total.ran, "succeeded"), (total.failed, "failed"), (total.cancelled, "cancelled")
        return ", ".join(f"{count:,} {what}" for count, what in counts if count) or "nothing to do"
