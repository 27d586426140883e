"""Shows a pool's progress to a person: a bar in a terminal, a few lines in a log. Decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from .progress import PoolJobAddedProgress, PoolJobUpdateProgress, PoolProgress
from .status import JobStatus

__all__ = ["LogProgress", "TerminalProgress", "progress_listener"]

_log = logging.getLogger("bsbpool")


def progress_listener() -> tuple[Callable[[PoolProgress], Any], float | None]:
    """What shows progress best here, and its maximal wait in seconds: a bar in a terminal, lines in a log."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        return TerminalProgress(console), 1.0
    return LogProgress(), None


class Counter:
    """Counts what listeners show: jobs, jobs that ended, jobs that failed."""

    def __init__(self) -> None:
        self.total = self.ended = self.failed = self.running = 0

    def count(self, progress: PoolProgress) -> bool:
        """Take in a notification. Returns whether a job ended."""
        if isinstance(progress, PoolJobAddedProgress):
            self.total += 1
        elif isinstance(progress, PoolJobUpdateProgress):
            if progress.status is JobStatus.RUNNING:
                self.running += 1
            if progress.old_status is JobStatus.RUNNING:
                self.running -= 1
            if progress.status.ended:
                self.ended += 1
                self.total = max(self.total, self.ended)  # jobs may have been queued before anybody listened
                self.failed += progress.status in (JobStatus.FAILED, JobStatus.ABORTED)
                return True
        return False


class LogProgress:
    """Logs, under ``bsbpool``, every tenth of the jobs that ended, and every failure: a bounded number of lines."""

    #: Failures that are logged one by one; the others are only counted.
    MOST_FAILURES = 20

    def __init__(self) -> None:
        self._counter = Counter()
        self._tenth = 0

    def __call__(self, progress: PoolProgress) -> None:
        counter = self._counter
        if not counter.count(progress):
            return
        assert isinstance(progress, PoolJobUpdateProgress)
        if progress.status in (JobStatus.FAILED, JobStatus.ABORTED) and counter.failed <= self.MOST_FAILURES:
            _log.error("%s %s: %s", progress.job, progress.status.value, progress.job.error)
        tenth = 10 * counter.ended // counter.total
        if tenth > self._tenth:
            self._tenth = tenth
            _log.info("%d of %d jobs ended, %d failed", counter.ended, counter.total, counter.failed)


class TerminalProgress:
    """A bar in the terminal, for as long as the pool is open."""

    def __init__(self, console: Any):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._counter = Counter()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console,
            transient=False,
        )
        self._task = self._bar.add_task("jobs", total=None, state="")

    def __enter__(self) -> TerminalProgress:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def __call__(self, progress: PoolProgress) -> None:
        counter = self._counter
        counter.count(progress)
        failed = f", [red]{counter.failed} failed[/red]" if counter.failed else ""
        self._bar.update(
            self._task, total=counter.total, completed=counter.ended, state=f"{counter.running} running{failed}"
        )
