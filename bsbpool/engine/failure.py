"""What counts as an error, and what follows: whether the job runs again, whether the pool stops, what is raised.

An error that a job's end is may be handled by a listener. All others, and those that nobody handled, make `execute`
raise a `WorkflowError`; a pool that fails fast stops at the first of them, and holds back jobs that could start until
listeners have said whether they handle one.

That the dependents of a job that did not succeed are cancelled is in `graph`.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from ..exceptions import (
    JobAbortedError,
    JobCancelledError,
    JobErroredError,
    JobPoolError,
    JobSchedulingError,
    JobTimeoutError,
    RankLostError,
)
from .graph import Graph
from .state import JobState
from .status import JobStatus

#: Why the pool stops that fails fast, as its jobs are told.
FIRST_ERROR = "The pool stopped at the first error, before this job had ended."


class Cause(Enum):
    """Why a job did not succeed that a rank ran."""

    RAISED = "it raised, or its call or result could not be packed"
    INTERRUPTED = "it was interrupted at its time limit"
    LOST = "it was lost with its rank"


#: The status of a job that ends so.
ENDS_AS = {
    Cause.RAISED: JobStatus.FAILED,
    Cause.INTERRUPTED: JobStatus.ABORTED,
    Cause.LOST: JobStatus.ABORTED,
}

#: The errors of jobs that did not fail and are errors all the same: of those that end so it was nobody's wish.
_OF_RANKS = (RankLostError, JobTimeoutError)

#: What makes a job run again, as long as it has retries left.
TRIED_AGAIN = frozenset({Cause.LOST})


class Failures:
    """What went wrong in a pool.

    :param graph: the jobs.
    :param fail_fast: stop at the first error that no listener handled.
    :param retries: how many times a job runs again.
    :ivar unhandled: the errors that no listener handled.
    :ivar stops: whether the pool is to stop now, whatever else there is to do.
    """

    def __init__(self, graph: Graph, fail_fast: bool = False, retries: int = 0) -> None:
        self._graph = graph
        self.fail_fast = fail_fast
        self.retries = retries
        self.unhandled: list[Exception] = []
        self.stops = False
        # By a job's id: how many times it did not get to its end, of those that count for `retries`.
        self._tries: dict[int, int] = {}

    @property
    def holds(self) -> bool:
        """Whether nothing is to start after a job's error before listeners have said whether they handle it."""
        return self.fail_fast

    # -- a job -------------------------------------------------------------------------------------

    def runs_again(self, id: int, cause: Cause) -> bool:
        """Whether a job that did not succeed is queued again; that counts as one of its tries."""
        if cause not in TRIED_AGAIN:
            return False
        tries = self._tries[id] = self._tries.get(id, 0) + 1
        return tries <= self.retries

    def was_tried(self, id: int) -> bool:
        """Whether a job did not get to its end at least once, for a reason that counts for `retries`."""
        return id in self._tries

    def last_error(self, id: int, error: BaseException) -> BaseException:
        """The error of a job that does not run again: it says so if it did before."""
        tries = self._tries.get(id, 0)
        if tries > 1:
            return type(error)(f"{error}, and with it this job for the {_nth(tries)} time")
        return error

    @staticmethod
    def is_error(status: JobStatus, error: BaseException | None) -> bool:
        """Whether it is an error that a job has ended with that status, so that listeners are asked to handle it.

        Those that the pool itself aborted when it stopped early are no errors of their own.
        """
        return status is JobStatus.FAILED or isinstance(error, _OF_RANKS)

    @staticmethod
    def error_of(job: str, status: JobStatus, error: BaseException | None) -> JobErroredError:
        """What is raised for a job's end that is an error.

        :param job: the job, as a person reads it.
        """
        how = "failed" if status is JobStatus.FAILED else f"was aborted: {error}"
        return JobErroredError(f"{job} {how}", error)

    # -- the pool ----------------------------------------------------------------------------------

    def add(self, error: Exception) -> None:
        """Nobody handled this error."""
        self.unhandled.append(error)
        if self.fail_fast:
            self.stops = True

    def of_scheduler(self, error: JobSchedulingError) -> Exception | None:
        """A node was not scheduled. Returns the error that this is; nobody is asked to handle it."""
        return error

    def of_rank(self, error: BaseException, left: bool, job: JobState | None) -> Exception | None:
        """A rank is gone. Returns the error that this is, besides that of a job which is aborted; None if it is none.

        :param error: what the job is told that ran there.
        :param left: it left for a reason of its own, and did not die.
        :param job: the job that ran there, if one did.
        """
        return RankLostError(*error.args) if left and (job is None or not job._status.ended) else None

    def of_ranks(self, ranks: int, gone: Collection[int], stuck: Collection[int]) -> Exception | None:
        """Some ranks run no jobs any more. Returns the error that this is if no rank is left to run them: the pool
        stops, fast or not.

        :param ranks: how many there were to run jobs.
        :param gone: those that were lost.
        :param stuck: those that are at jobs which can't be interrupted.
        """
        unfinished = self._graph.unfinished
        if not unfinished or len(gone) + len(stuck) < ranks:
            return None
        self.stops = True
        if stuck:
            some = [*stuck]
            who = f"rank {some[0]} is" if len(some) == 1 else f"ranks {', '.join(map(str, some))} are"
            why = f"{who} stuck in jobs that can't be interrupted{', the others are gone' if gone else ''}"
        else:
            why = f"{'rank 1 is' if len(gone) == 1 else f'ranks 1 to {len(gone)} are all'} gone"
        have = "job has" if unfinished == 1 else "jobs have"
        return JobPoolError(f"No rank is left to run jobs, and {unfinished} {have} not run: {why}.")

    def stop(self, why: str) -> None:
        """The pool ends early: what runs is aborted, and what had not started is cancelled."""
        for job in self._graph.jobs:
            if job._status is JobStatus.RUNNING:
                self._graph.settle(job, JobStatus.ABORTED, JobAbortedError(why))
            elif not job._status.ended:
                self._graph.settle(job, JobStatus.CANCELLED, JobCancelledError(why))
        self._graph.ready.clear()


def _nth(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
