"""What a pool tells its listeners. When it tells them does not belong here."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from ..engine.status import JobStatus, PoolStatus

if TYPE_CHECKING:
    from ..worlds import World
    from .jobs import Job


class PoolProgressReason(Enum):
    """Why listeners are told."""

    POOL_STATUS_CHANGE = 1
    JOB_ADDED = 2
    JOB_STATUS_CHANGE = 3
    MAX_TIMEOUT_PING = 4


class PoolOfProgress(Protocol):
    """What a notification needs of the pool that it is about: `bsbpool.pool.JobPool` has it."""

    @property
    def workflow(self) -> Any: ...
    @property
    def jobs(self) -> list[Job]: ...
    @property
    def status(self) -> PoolStatus | None: ...
    @property
    def scheduling(self) -> bool: ...
    @property
    def _world(self) -> World: ...


class PoolProgress:
    """Something happened in a pool, or (a ping) nothing did for its maximal wait.

    :param pool: the pool that it is about.
    :param reason: why listeners are told.

    >>> import time
    >>> import bsbpool
    >>> from bsbpool.pool import PoolProgress
    >>> from bsbpool_sim import simulate
    >>> def on_ping(progress):
    ...     if type(progress) is PoolProgress:
    ...         print(progress.reason.name, "at", progress.time_ns, "ns on", progress.ranks, "ranks")
    >>> def program(comm):
    ...     with bsbpool.job_pool(comm) as pool:
    ...         pool.add_listener(on_ping, max_wait=2)
    ...         if pool.is_main():
    ...             pool.queue(lambda owner: time.sleep(5))
    ...         pool.execute()
    >>> _ = simulate(program, ranks=2)
    MAX_TIMEOUT_PING at 2000000000 ns on 2 ranks
    MAX_TIMEOUT_PING at 4000000000 ns on 2 ranks
    """

    def __init__(self, pool: PoolOfProgress, reason: PoolProgressReason):
        self._pool = pool
        self._reason = reason

    @property
    def reason(self) -> PoolProgressReason:
        """Why listeners are told."""
        return self._reason

    @property
    def workflow(self) -> Any:
        """The pool's workflow."""
        return self._pool.workflow

    @property
    def jobs(self) -> list[Job]:
        """All jobs of the pool."""
        return self._pool.jobs

    @property
    def status(self) -> Any:
        """The pool's status."""
        return self._pool.status

    @property
    def scheduling(self) -> bool:
        """Whether a scheduler still runs, or has yet to start."""
        return self._pool.scheduling

    @property
    def ranks(self) -> int:
        """How many ranks the pool has, main among them."""
        return self._pool._world.size

    @property
    def time_ns(self) -> int:
        """Main's clock now, in nanoseconds since some start; on simulated ranks virtual ones."""
        return self._pool._world.now()


class PoolStatusProgress(PoolProgress):
    """The pool's status changed.

    :param pool: the pool, which has its new status.
    :param old_status: the status that it had; None before it was opened.
    """

    def __init__(self, pool: PoolOfProgress, old_status: PoolStatus | None):
        super().__init__(pool, PoolProgressReason.POOL_STATUS_CHANGE)
        self._old_status = old_status
        self._status = pool.status

    @property
    def old_status(self) -> PoolStatus | None:
        """The status that the pool had."""
        return self._old_status

    @property
    def status(self) -> PoolStatus | None:
        """The status that the pool took."""
        return self._status


class PoolJobAddedProgress(PoolProgress):
    """A job was added.

    :param pool: the pool.
    :param job: the job.
    """

    def __init__(self, pool: PoolOfProgress, job: Job):
        super().__init__(pool, PoolProgressReason.JOB_ADDED)
        self._job = job

    @property
    def job(self) -> Job:
        """The job that was added."""
        return self._job


class PoolJobUpdateProgress(PoolProgress):
    """A job's status changed.

    :param pool: the pool.
    :param job: the job.
    :param old_status: the status that it had.
    :param status: the status that it took; by default the one that it has.

    >>> import bsbpool
    >>> from bsbpool.pool import PoolJobUpdateProgress
    >>> def show(progress):
    ...     if isinstance(progress, PoolJobUpdateProgress):
    ...         print(progress.job.name, progress.old_status.value, "->", progress.status.value)
    >>> with bsbpool.job_pool(quiet=True) as pool:
    ...     pool.add_listener(show)
    ...     _ = pool.queue(lambda owner: None, submitter="golgi")
    ...     _ = pool.execute()
    golgi pending -> queued
    golgi queued -> running
    golgi running -> success
    """

    def __init__(self, pool: PoolOfProgress, job: Job, old_status: JobStatus, status: JobStatus | None = None):
        super().__init__(pool, PoolProgressReason.JOB_STATUS_CHANGE)
        self._job = job
        self._old_status = old_status
        self._status = status or job.status

    @property
    def job(self) -> Job:
        """The job whose status changed."""
        return self._job

    @property
    def old_status(self) -> JobStatus:
        """The status that the job had."""
        return self._old_status

    @property
    def status(self) -> JobStatus:
        """The status that the job took; it may have gone on since."""
        return self._status


class Workflow:
    """The named phases of a longer run, one after the other.

    :param phases: the names; at least one.

    >>> from bsbpool import Workflow
    >>> workflow = Workflow(["placement", "connectivity"])
    >>> workflow.phase, workflow.next_phase(), workflow.next_phase(), workflow.finished
    ('placement', 'connectivity', 'finished', True)
    """

    def __init__(self, phases: Iterable[str]):
        self._phases = list(phases)
        self._phase = 0

    @property
    def phases(self) -> list[str]:
        """The names of all phases (a copy)."""
        return list(self._phases)

    @property
    def phase(self) -> str:
        """The name of the current phase; ``"finished"`` after the last."""
        return "finished" if self.finished else self._phases[self._phase]

    @property
    def finished(self) -> bool:
        """Whether the last phase is over."""
        return self._phase >= len(self._phases)

    def next_phase(self) -> str:
        """Go on to the next phase.

        :returns: its name.
        """
        self._phase += 1
        return self.phase
