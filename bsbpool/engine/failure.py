"""Decides what counts as an error, and its consequences: whether the job runs again, whether the pool stops, which
errors are raised.

A listener can handle the error of a job. All other errors, and those that no listener handled, make `execute` raise a
`WorkflowError`. A pool that fails fast stops at the first of them. Until listeners have answered whether they handle an
error, it starts no further jobs.

The cancelling of dependents belongs in `graph`.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Any

from ..errors_and_facts import error_of, facts_of, lost_again, own_facts
from ..exceptions import (
    JobErroredError,
    JobPoolError,
    JobSchedulingError,
    JobTimeoutError,
    RankLostError,
)
from ..facts import Error, JobFailed, NobodyLeft, Stopped
from .graph import Graph
from .state import JobState
from .status import JobStatus

#: Why the pool stops that fails fast: see `bsbpool.facts.Stopped`.
FIRST_ERROR = "failure"


class FailureCause(Enum):
    """Why a job did not succeed that a rank ran."""

    RAISED = "it raised, or its call or result could not be packed"
    INTERRUPTED = "it was interrupted at its time limit"
    LOST = "it was lost with its rank"


#: The status of a job that ends so.
ENDS_AS = {
    FailureCause.RAISED: JobStatus.FAILED,
    FailureCause.INTERRUPTED: JobStatus.ABORTED,
    FailureCause.LOST: JobStatus.ABORTED,
}

#: The errors of jobs that did not fail and are errors all the same: of those that end so it was nobody's wish.
_OF_RANKS = (RankLostError, JobTimeoutError)

#: What makes a job run again, as long as it has retries left.
TRIED_AGAIN = frozenset({FailureCause.LOST})


class Failures:
    """The failures of a pool, and the rules about them.

    :param graph: the jobs.
    :param fail_fast: stop at the first error that no listener handled.
    :param retries: how many times a job runs again.
    :ivar unhandled: the errors that no listener handled.
    :ivar stops: whether the pool is to stop now, whatever else there is to do.
    """

    def __init__(self, graph: Graph[Any], fail_fast: bool = False, retries: int = 0) -> None:
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

    def runs_again(self, id: int, cause: FailureCause) -> bool:
        """Return whether a job that did not succeed is queued again; this counts as one of its tries."""
        if cause not in TRIED_AGAIN:
            return False
        tries = self._tries[id] = self._tries.get(id, 0) + 1
        return tries <= self.retries

    def was_tried(self, id: int) -> bool:
        """Return whether a job failed to end at least once, for a reason that counts for `retries`."""
        return id in self._tries

    def last_error(self, id: int, cause: FailureCause, error: BaseException) -> BaseException:
        """The error of a job that does not run again: one that it was tried again after says how many times."""
        tries = self._tries.get(id, 0)
        return lost_again(error, tries) if cause in TRIED_AGAIN and tries > 1 else error

    @staticmethod
    def is_error(status: JobStatus, error: BaseException | None) -> bool:
        """Return whether a job that ends with this status is an error, so that listeners are asked to handle it.

        Those that the pool itself aborted when it stopped early are no errors of their own.
        """
        return status is JobStatus.FAILED or isinstance(error, _OF_RANKS)

    @staticmethod
    def error_of(job: JobState, description: str, status: JobStatus, error: BaseException | None) -> JobErroredError:
        """Return the error that is raised for a job that ended in error.

        :param description: what the job is called.
        """
        aborted = None if status is JobStatus.FAILED else own_facts(error) or facts_of(error)
        made: JobErroredError = error_of(JobFailed(job._id, type(job).__name__, description, aborted), error)
        return made

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
        """Return the error that a lost rank is, besides that of its aborted job; None if it is none.

        :param error: what the job is told that ran there.
        :param left: it left for a reason of its own, and did not die.
        :param job: the job that ran there, if one did.
        """
        if not left or (job is not None and job._status.ended):
            return None
        facts = own_facts(error)
        again: Exception = RankLostError(*error.args) if facts is None else error_of(facts)
        return again

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
        error: JobPoolError = error_of(NobodyLeft(unfinished, len(gone), tuple(stuck)))
        return error

    def stop(self, why: str, error: Error | None = None) -> None:
        """The pool ends early: what runs is aborted, and what had not started is cancelled.

        :param why: see `bsbpool.facts.Stopped`.
        :param error: what was raised, if that is why.
        """
        for job in self._graph.jobs:
            if job._status is JobStatus.RUNNING:
                self._graph.settle(job, JobStatus.ABORTED, error_of(Stopped(True, why, error)))
            elif not job._status.ended:
                self._graph.settle(job, JobStatus.CANCELLED, error_of(Stopped(False, why, error)))
        self._graph.ready.clear()
