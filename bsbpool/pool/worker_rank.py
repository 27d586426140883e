"""The part of the ranks other than main in a pool: they run its jobs, and leave when main lets them.

How a rank runs jobs belongs in `worker`; main decides the statuses of jobs. A job that is queued here is a handle, and
is not announced to any listener, because main has the job.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..engine.status import PoolStatus
from ..errors_and_facts import describe_error, facts_of
from ..exceptions import JobPoolError, RankLostError, WorkflowError
from ..trace.listener import TraceRecorder
from ..values import add_note
from .dependencies import check_dependencies
from .jobs import Job
from .member import SEE_MAIN, Member
from .no_result import result_is_elsewhere
from .protocol import LEFT

UNHANDLED = "Unhandled exceptions during parallel execution."


class WorkerRank(Member):
    """The part of another rank than main."""

    def opened(self) -> None:
        pass

    def change_status(self, status: PoolStatus) -> None:
        with self.lock:
            self.status = status

    def record_from_now_on(self, recorder: TraceRecorder) -> None:
        pass  # main does

    def put(self, job: Job, deps: Iterable[Job] | None) -> None:
        dependencies = check_dependencies(job, deps) if deps is not None else ()
        with self.lock:
            self.check_can_queue("queue jobs")
            self.engine.add(job, dependencies)
            self.attend()

    def cancel(self, job: Job, reason: str | None) -> bool:
        self.check_not_at_jobs("cancel a job")  # the program does the same on main, where the job is
        with self.lock:
            done = bool(self.engine.cancel(job, reason))
            self.attend()
        return done

    def attend(self) -> None:
        self.engine.commands.clear()

    def schedule(self, nodes: Sequence[Any], scheduler: Callable[[Any], Any]) -> None:
        pass  # main does

    @property
    def scheduling(self) -> bool:
        return False

    def execute(self) -> None:
        """Run jobs until main lets this rank go.

        :raises WorkflowError: something went wrong on main, which may be gone.
        :raises ExceptionGroup: what clean-up functions of cached items raised.
        """
        channel, problem = self.channel, None
        assert channel is not None
        try:
            self.status = PoolStatus.EXECUTING
            problem = self.worker(channel.get, functools.partial(channel.send, 0)).work()
            self.dismissed = True
        except RankLostError as error:
            self.dismissed = True
            raise WorkflowError(UNHANDLED, [error]) from None
        except BaseException as error:
            self._leave(error)
            raise
        finally:
            self.status = PoolStatus.CLOSING
            cleanup = self.free_all()
            if cleanup is not None and (raised := sys.exception()) is not None:
                add_note(raised, f"Besides: {describe_error(cleanup)}")
        if problem is not None:
            told = WorkflowError(UNHANDLED, [JobPoolError(problem), *([cleanup] if cleanup is not None else [])])
            told.reported_by_main = problem == SEE_MAIN and cleanup is None
            raise told
        if cleanup is not None:
            raise cleanup

    def result_of(self, job: Job) -> Any:
        raise result_is_elsewhere(job, self.world.rank)

    def leave_unexecuted(self, error: BaseException | None) -> None:
        self._leave(error)

    def let_go(self) -> None:
        self._leave(None)

    def _leave(self, error: BaseException | None) -> None:
        """Tell main that this worker is off for a reason of its own, unless main knows."""
        if self.dismissed:
            return
        assert self.channel is not None
        self.channel.flush()  # what it has sent arrives before, also what is large
        self.channel.send(0, self.codec.encode((LEFT, facts_of(error))), last=True)
        self.dismissed = True
