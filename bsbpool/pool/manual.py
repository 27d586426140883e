"""Jobs that the program runs on main's rank itself, or whose status it sets: `Job.run`, `set_result`, `change_status`.

Whether a job may start, and the consequences of its end, are decided in `engine`; jobs that the pool gives to its ranks
belong in `pool` and `worker`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ..engine.engine import Engine
from ..engine.status import JobStatus
from ..errors_and_facts import facts_of
from ..exceptions import JobPoolError
from ..values import shown
from ..worlds import Mailbox, Role, World

if TYPE_CHECKING:
    from .jobs import Job


class ManualJobs:
    """The jobs of a pool that are run by hand.

    :param lock: the pool's, which guards the engine.
    :param perform: calls what a job calls, here.
    :param record: records an event of the pool.
    :param attend: sees to it that what the engine has decided is carried out.
    """

    def __init__(
        self,
        world: World,
        engine: Engine[Job],
        lock: AbstractContextManager[Any],
        perform: Callable[[Job], Any],
        record: Callable[..., None],
        attend: Callable[[], None],
    ):
        self._world = world
        self._engine = engine
        self._lock = lock
        self._perform = perform
        self._record = record
        self._wake_main = attend
        # By job: where those wait who called `run`.
        self._waiting: dict[int, list[Mailbox]] = {}

    def run(self, job: Job, timeout: float | None) -> bool:
        """Run a job in a task of its own, and wait for its end. Returns whether it still runs."""
        waiter = self._world.mailbox()
        with self._lock:
            first = job._id not in self._waiting
            if first:
                self.begin(job)
            self._waiting.setdefault(job._id, []).append(waiter)
        if first:
            self._world.start(Role.MANUAL_JOB, self._run, job, name=f"job {job._id}")
        until = None if timeout is None else max(1, self._world.now() + round(timeout * 1e9))
        return not job._status.ended and waiter.get(until) is None

    def _run(self, job: Job) -> None:
        """The task that runs a job."""
        value, failure = None, None
        try:
            value = self._perform(job)
        except BaseException as error:
            failure = error
        with contextlib.suppress(JobPoolError):  # the pool has stopped, and the job was aborted
            self.finish(job, value, failure)
        with self._lock:
            for waiter in self._waiting[job._id]:
                waiter.put(True)

    def begin(self, job: Job) -> None:
        """The job runs from now on.

        :raises JobPoolError: it can't start.
        """
        self._check_main(job)
        with self._lock:
            self._engine.run_by_hand(job)
            self._record("by_hand", job._id, JobStatus.RUNNING.value, None)
            self._wake_main()

    def finish(self, job: Job, value: Any, error: BaseException | None) -> None:
        """The job has ended, with a value, or with an error.

        :raises JobPoolError: it does not run.
        """
        self._check_main(job)
        if error is not None and not isinstance(error, BaseException):
            raise TypeError(f"a job fails with an exception, not with {shown(error)}")
        with self._lock:
            status = JobStatus.SUCCESS if error is None else JobStatus.FAILED
            self._engine.set_status(job, status, error)
            self._record("by_hand", job._id, status.value, facts_of(error))
            job._result = value
            self._wake_main()

    def set_status(self, job: Job, status: JobStatus) -> None:
        """Set the status of a job.

        :raises JobPoolError: that status can't follow the present one.
        """
        self._check_main(job)
        with self._lock:
            self._engine.set_status(job, status)
            self._record("by_hand", job._id, status.value, None)
            self._wake_main()

    def _check_main(self, job: Job) -> None:
        if self._world.rank:
            raise JobPoolError(f"{job} can't be run or ended on rank {self._world.rank}: main (rank 0) has it.")
