"""The interface of a pool for replays and scenarios, in addition to its public interface.

A replay takes the place of everything that sent a recorded pool messages, also of its own parts. Code outside of
`bsbpool.pool` accesses a pool in no other way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..engine.status import JobStatus
from ..worlds import Role
from .coordinator import Coordinator

if TYPE_CHECKING:
    from .job_pool import JobPool
    from .jobs import Job


class PoolPort:
    """What a replay or scenario may do to a pool, on main, besides what users call."""

    def __init__(self, pool: JobPool):
        self._pool = pool

    # -- before the pool opens ---------------------------------------------------------------------

    def follow_rules_of_0_1(self, *, without_turns: bool, waits: bool) -> None:
        """Decide as bsbpool 0.1 did; before the pool opens.

        :param without_turns: on one rank, schedulers and jobs run beside each other.
        :param waits: what becomes ready waits, in some cases, for whatever comes next, though ranks are idle.
        """
        if without_turns:
            self._pool._member.forget_turns()
        self._pool._engine.dispatch.idle_first = not waits

    def expect_no_pings(self, seconds: float) -> None:
        """Ping listeners only when nothing has happened for so many seconds."""
        self._pool._member.notifier.max_wait = seconds

    # -- jobs --------------------------------------------------------------------------------------

    @property
    def jobs(self) -> Sequence[Job]:
        """The pool's own list of its jobs, by id: no copy, which would cost as much for each job as there are jobs."""
        return cast("Sequence[Job]", self._pool._engine.jobs)

    def cancel(self, job: Job, reason: str | None) -> bool:
        """Cancel a job, without the warning that users get if it is too late.

        :returns: whether it was cancelled.
        """
        return self._pool._cancel(job, reason)

    def limit(self, job: Job, ns: int | None) -> None:
        """Set the time limit of a job, in nanoseconds; None: it may run for any time.

        :raises JobPoolError: it has started, or has ended.
        """
        self._pool._limit(job, ns)

    def begin(self, job: Job) -> None:
        """The program runs a job itself from now on.

        :raises JobPoolError: it can't start.
        """
        self._pool._manual.begin(job)

    def finish(self, job: Job, error: BaseException | None) -> None:
        """A job that the program runs itself has ended, with an error or without one.

        :raises JobPoolError: it does not run.
        """
        self._pool._manual.finish(job, None, error)

    def set_status(self, job: Job, status: JobStatus) -> None:
        """The program sets the status of a job.

        :raises JobPoolError: that status can't follow the present one.
        """
        self._pool._manual.set_status(job, status)

    # -- what else belongs to main -----------------------------------------------------------------

    def was_not_scheduled(self, node: Any) -> None:
        """A node counts as one that was not scheduled: those that depend on it are not scheduled either."""
        assert isinstance(self._pool._member, Coordinator)
        self._pool._member.schedulers.not_scheduled[id(node)] = node

    def start(self, role: Role, function: Callable[..., Any], *args: Any) -> None:
        """Start a task of main's rank beside the pool."""
        self._pool._world.start(role, function, *args)
