"""The engine decides which job runs on which rank, and its status after that. It does no I/O, reads no clock and starts
nothing.

House rules:

- Events are method calls; their results are commands (`Engine.commands`, in order). The caller, and the execution of
  commands, must not live here.
- Each event costs O(1), or O(dependents), or O(cache items of the job); only `begin` and `stop` walk all jobs, once
  each.
- The same events give the same commands: no code iterates over a set, and no decision reads `hash()` or `id()`.

This file receives the events. Each rule has a separate file: the consequences of a job's end in `graph`, which rank
gets which jobs in `dispatch`, which items ranks free in `caching`, errors and their consequences in `failure`, and time
limits in `limits`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from ..errors_and_facts import error_of
from ..exceptions import JobPoolError, JobSchedulingError
from ..facts import Cancelled, Error
from ..values import text_of
from .caching import Caches
from .dispatch import Dispatch
from .failure import ENDS_AS, FailureCause, Failures
from .graph import Graph
from .limits import Deadlines, check_can_change
from .state import JobState
from .status import JobStatus

PENDING, QUEUED, RUNNING = JobStatus.PENDING, JobStatus.QUEUED, JobStatus.RUNNING
SUCCESS, FAILED, CANCELLED, ABORTED = JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.ABORTED


J = TypeVar("J", bound=JobState)


class Engine(Generic[J]):
    """Decides for one pool, whose jobs are of class `J`; see the top of the file.

    :param first_in_first_out: ready jobs leave in the order in which they were added, not that in which they
        became ready; so it is where one rank runs them all.
    :param send_ahead: whether ranks may be sent more than one job.
    :param retries: how many times a job that was lost with its rank runs again.
    :param fail_fast: stop at the first error that no listener handled.
    :param workers: how many ranks there are to run jobs.
    :ivar graph: the jobs, and how they depend on each other.
    :ivar caches: cached items of ranks.
    :ivar dispatch: which rank has what.
    :ivar failures: what went wrong.
    :ivar deadlines: until when main waits for ranks that run jobs with limits.
    :ivar jobs: all jobs, in the order in which they were added; a job's id is its place here.
    :ivar commands: what to carry out, in this order.
    """

    def __init__(
        self,
        first_in_first_out: bool = False,
        send_ahead: bool = False,
        retries: int = 0,
        fail_fast: bool = False,
        workers: int = 1,
    ) -> None:
        self.caches = Caches()
        self.graph: Graph[J] = Graph(self.caches, first_in_first_out)
        self.dispatch = Dispatch(self.graph, self.caches, send_ahead)
        self.failures = Failures(self.graph, fail_fast, retries)
        self.deadlines = Deadlines(self.graph.jobs)
        self.jobs: list[J] = self.graph.jobs
        self.commands = self.graph.commands
        self._workers = workers

    @property
    def unfinished(self) -> int:
        """The number of jobs that have not ended."""
        return self.graph.unfinished

    # -- jobs --------------------------------------------------------------------------------------

    def add(self, job: J, dependencies: Iterable[JobState]) -> None:
        """A job was queued."""
        if self.graph.add(job, dependencies):
            self.dispatch.assign()

    def begin(self) -> list[J]:
        """The pool starts to execute. Returns the jobs that are queued now: they are not among the changes."""
        queued = self.graph.begin()
        self.dispatch.assign()
        return queued

    def set_limit(self, job: JobState, ns: int | None) -> None:
        """Somebody sets a job's time limit.

        :raises JobPoolError: it is too late for that.
        """
        check_can_change(job, self.dispatch.is_ahead(job))
        job._limit = ns

    def cancel(self, job: JobState, reason: str | None) -> bool | None:
        """Somebody wants a job cancelled. Returns whether it was: it had not started.

        :returns: None if it was sent ahead: its rank has to be asked, and if that gives it back, it is cancelled.
        """
        error = error_of(Cancelled(None if reason is None else text_of(reason)))
        if self.dispatch.is_ahead(job):
            self.dispatch.call_back(job, error)
            return None
        if job._status is PENDING or job._status is QUEUED:
            self.graph.end(job, CANCELLED, error)
            return True
        return False

    def asked(self) -> None:
        """A rank was asked for a job that is to be cancelled. Who cancels one may be about to cancel the others."""
        self.dispatch.holding = True

    def run_by_hand(self, job: JobState) -> None:
        """Somebody runs a job without the pool's ranks.

        :raises JobPoolError: it has open dependencies, was sent to a rank, runs, or has ended.
        """
        if job._open_dependencies and job._status is PENDING:
            raise JobPoolError(f"{job} can't run yet: {job._open_dependencies} of its dependencies have not ended")
        if self.dispatch.is_ahead(job):
            raise JobPoolError(f"{job} can't be run here: it was sent to rank {job._rank}")
        if job._status is PENDING:
            self.graph.change(job, QUEUED)
        self.graph.change(job, RUNNING)

    def set_status(self, job: JobState, status: JobStatus, error: BaseException | None = None) -> None:
        """Somebody sets a job's status by hand. A rank that runs it stays taken until it has told of its end.

        :raises JobPoolError: the table of `bsbpool.engine.status` does not have the change.
        """
        if self.dispatch.is_ahead(job):
            raise JobPoolError(f"{job} was handed to rank {job._rank}, which may have started it: cancel() it instead")
        if status.ended and status in job._status.successors:
            self.graph.end(job, status, error)
            self.dispatch.spread()
        elif status is QUEUED and job._status is RUNNING:
            raise JobPoolError(
                f"{job} is running, it can't be queued again by hand: only a job that was lost with its rank is"
            )
        else:
            self.graph.change(job, status)
            if status is QUEUED:
                self.graph.ready.append(job)
                self.dispatch.assign()

    # -- ranks -------------------------------------------------------------------------------------

    def ready(self, rank: int, cached: Iterable[int]) -> None:
        """A rank is there to run jobs, and holds these cached items."""
        self.caches.joined(rank)
        if items := [*cached]:
            self.caches.took_in(rank, items)
        self.dispatch.joined(rank)
        self.dispatch.assign()

    def cached(self, rank: int, items: Iterable[int]) -> None:
        """A rank has taken these items into its cache.

        Each job that it gets may come with an order to free from now on, which those in its line did not: it
        drops them, and what it is sent until it learns that this was heard of.
        """
        items = [*items]
        if not items or rank not in self.dispatch.lines:
            return
        self.returned(rank, [*self.dispatch.lines[rank]][1:])
        self.caches.took_in(rank, items)

    def finished(
        self,
        job: JobState,
        error: BaseException | None,
        ns: int | None = None,
        cause: FailureCause = FailureCause.RAISED,
        sent: bool = True,
    ) -> None:
        """A job came to its end: in success, or with an error. News of a job that has ended are ignored.

        :param ns: nanoseconds that it took; None if that says nothing of others.
        :param cause: why it did not succeed, if there is an error.
        :param sent: whether its rank got it: its call may be one that can't be packed.
        """
        dispatch = self.dispatch
        if error is not None and sent and self.failures.holds:
            dispatch.holding = True
        rank, status = job._rank, job._status
        if status is not RUNNING:
            if status is not QUEUED or rank is None:
                if rank in dispatch.lines and job in dispatch.lines[rank]:
                    dispatch.stuck.pop(rank, None)
                    dispatch.vacate(rank, job)  # its status was set by hand while its rank was at it, or it was stuck
                return
            self.graph.change(job, RUNNING)  # it was to be sent ahead
        if ns is not None and rank is not None:
            dispatch.took(ns)
        if error is None:
            self.graph.end(job, SUCCESS, None)
        else:
            self._fails(job, cause, error)
        if rank is not None:
            dispatch.vacate(rank, job)
        else:  # run by hand
            dispatch.spread()

    def overdue(self, job: JobState, rank: int, error: BaseException) -> bool:
        """A job is past its limit, and its rank could not end it. Returns whether it still ran, and is aborted."""
        if self.failures.holds:
            self.dispatch.holding = True
        if job._status is not RUNNING or job._rank != rank:
            return False
        self.dispatch.stuck[rank] = None
        self.graph.end(job, ABORTED, error)
        return True

    def returned(self, rank: int, jobs: Iterable[JobState]) -> None:
        """A rank gives back jobs that it was sent ahead and has not started."""
        if rank not in self.dispatch.lines:
            return  # it is lost, and they were taken back then
        self.dispatch.take_back(rank, [*jobs])
        self.dispatch.assign()

    def lost(self, rank: int, error: BaseException, left: bool = False) -> Exception | None:
        """A rank is gone; the job that ran there is aborted, or queued again.

        :param error: of that job, if it is aborted.
        :param left: it left for a reason of its own, and did not die.
        :returns: the error that this is besides.
        """
        dispatch = self.dispatch
        dispatch.gone[rank] = None
        job = None
        if rank in dispatch.lines:
            job = dispatch.lost(rank)
            self.caches.lost(rank)
            if job is not None:
                self._fails(job, FailureCause.LOST, error)
            dispatch.assign()
        return self.failures.of_rank(error, left, job)

    def nobody_left(self) -> Exception | None:
        """The error that it is if no rank is left to run jobs."""
        return self.failures.of_ranks(self._workers, self.dispatch.gone, self.dispatch.stuck)

    def _fails(self, job: JobState, cause: FailureCause, error: BaseException) -> None:
        """A job did not succeed: it runs again, or ends."""
        if self.failures.runs_again(job._id, cause):
            self.dispatch.queue_again(job)
        else:
            self.graph.end(job, ENDS_AS[cause], self.failures.last_error(job._id, cause, error))

    # -- the pool ----------------------------------------------------------------------------------

    def hold(self) -> None:
        """Give out no more jobs, until it goes on."""
        self.dispatch.holding = True

    def go_on(self) -> None:
        """Give out jobs again."""
        self.dispatch.holding = False
        self.dispatch.assign()

    def unhandled(self, error: Exception) -> None:
        """No listener handled this error: `execute` is to raise it."""
        self.failures.add(error)

    def not_scheduled(self, error: JobSchedulingError) -> Exception | None:
        """A node was not scheduled. Returns the error that this is."""
        return self.failures.of_scheduler(error)

    def stop(self, why: str, error: Error | None = None) -> None:
        """The pool ends early.

        :param why: see `bsbpool.facts.Stopped`.
        :param error: what was raised, if that is why.
        """
        self.failures.stop(why, error)

    def validate(self) -> None:
        """Check that what the engine knows is of a piece, between two events; for tests, since it walks all jobs.

        :raises AssertionError: it is not.
        """
        unfinished = [job for job in self.graph.jobs if not job._status.ended]
        self.graph.validate(unfinished)
        self.dispatch.validate(unfinished)
