"""Logs a pool's progress, in few lines even for large pools."""

from __future__ import annotations

import logging

from ..durations import rough_duration
from ..engine.status import JobStatus, PoolStatus
from ..pool.progress import PoolJobUpdateProgress, PoolProgress, PoolProgressReason
from ..text import visible
from .tally import MOST_FAILURES, Tally

_log = logging.getLogger("bsbpool")


class LogProgress:
    """Logs the progress of a pool to the logger ``bsbpool``. If logging is not configured, it writes to standard error.

    It logs the beginning and the end of the pool; a line whenever another tenth of the jobs known by then has ended;
    and the first 20 failures. While nothing happens, it logs the jobs that have been running for longest, at intervals
    that double. A pool of a million jobs logs about 130 lines if they are queued one by one while it executes, and 12
    if they are queued beforehand.
    """

    def __init__(self) -> None:
        self._tally = Tally()
        self._next = 0
        self._next_quiet = 0.0
        self._due = self._ended = False

    def __enter__(self) -> LogProgress:
        self._handler = None
        if not _log.hasHandlers():
            self._handler = logging.StreamHandler()
            self._handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
            self._level = _log.level
            _log.addHandler(self._handler)
            _log.setLevel(logging.INFO)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._handler is not None:
            _log.removeHandler(self._handler)
            _log.setLevel(self._level)

    def __call__(self, progress: PoolProgress) -> None:
        """Take in a notification."""
        tally = self._tally
        tally.count(progress)
        if self._due and tally.total.ended < tally.total.jobs:
            self._how_far(progress.time_ns)
        if isinstance(progress, PoolJobUpdateProgress):
            if progress.status.ended:
                self._job_ended(progress)
        elif progress.reason is PoolProgressReason.MAX_TIMEOUT_PING:
            self._quiet(progress.time_ns)
        elif progress.reason is PoolProgressReason.POOL_STATUS_CHANGE:
            self._pool_changed(progress)

    def _job_ended(self, progress: PoolJobUpdateProgress) -> None:
        tally, total = self._tally, self._tally.total
        if progress.status in (JobStatus.FAILED, JobStatus.ABORTED) and total.failed <= MOST_FAILURES:
            where = f" on rank {progress.job._rank}" if progress.job._rank else ""
            _log.error(
                "%s %s%s: %s", visible(str(progress.job)), progress.status.value, where, tally.failures[-1].error
            )
            if total.failed == MOST_FAILURES:
                _log.error("Further failures are only counted.")
        self._next_quiet = 0.0
        tenth = -(-total.jobs // 10)
        if total.ended < (self._next or tenth):
            return
        self._next = total.ended + tenth
        if total.ended == total.jobs:
            self._due = True  # unless other jobs come, the line at the end of the pool is enough
        else:
            self._how_far(progress.time_ns)

    def _how_far(self, now: int) -> None:
        tally, total = self._tally, self._tally.total
        self._due = False
        left = tally.left(now)
        about = "" if left is None or left < 0.1 else f"; about {rough_duration(left)} left"
        failed = f", {total.failed:,} failed" if total.failed else ""
        _log.info("%s of %s jobs ended%s, %s%s", f"{total.ended:,}", f"{total.jobs:,}", failed,
                  rough_duration(tally.elapsed(now)), about)  # fmt: skip

    def _quiet(self, now: int) -> None:
        """Log that nothing has happened for a while, and again after twice that time."""
        tally = self._tally
        quiet = tally.quiet(now)
        if quiet < self._next_quiet:
            return
        self._next_quiet = 2 * quiet
        running = next(iter(tally.running.values()), None)
        if running is None:
            what = "no job runs"
        else:
            job, began = running
            where = f" on rank {job._rank}" if job._rank else ""
            others = f", and {len(tally.running) - 1:,} others" if len(tally.running) > 1 else ""
            what = (
                f"{visible(job.description)}{where} has been running for {rough_duration((now - began) / 1e9)}{others}"
            )
        _log.info("Nothing new for %s: %s", rough_duration(quiet), what)

    def _pool_changed(self, progress: PoolProgress) -> None:
        tally = self._tally
        if progress.status is PoolStatus.EXECUTING and tally.total.jobs + progress.scheduling:
            ranks = f"{progress.ranks:,} ranks" if progress.ranks > 1 else "one rank"
            phases = progress.workflow.phases
            phase = f"phase {progress.workflow.phase}, " if len(phases) > 1 else ""
            jobs = "1 job" if tally.total.jobs == 1 else f"{tally.total.jobs:,} jobs"
            _log.info("Begins on %s: %s%s", ranks, phase, jobs)
        elif progress.status is PoolStatus.CLOSING and not self._ended and tally.total.jobs:
            self._ended = True
            _log.info("Done in %s: %s", rough_duration(tally.elapsed(progress.time_ns)), tally.words())
