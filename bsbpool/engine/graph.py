"""The jobs of a pool, and the consequences of a job's end for the jobs that depend on it.

A job counts its unfinished dependencies. When none is left, and the pool executes, it is *queued* and joins the queue
of ready jobs, which leave it in that order. When a job succeeds, the counts of its dependents decrease. When it ends
otherwise, its direct and indirect dependents are cancelled: with a queue and not by recursion, since chains can be
longer than Python's stack.

All changes of statuses go through one method here, which also decides which of them are announced. `status` has the
allowed changes, `dispatch` decides which rank takes a ready job, and `failure` what counts as an error.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from ..errors_and_facts import error_of, own_facts
from ..exceptions import JobCancelledError, JobPoolError
from ..facts import DependencyFailed
from .caching import Caches
from .commands import Added, Announce, Command
from .state import Heap, JobState
from .status import JobStatus

PENDING, QUEUED, RUNNING = JobStatus.PENDING, JobStatus.QUEUED, JobStatus.RUNNING
SUCCESS, CANCELLED = JobStatus.SUCCESS, JobStatus.CANCELLED


J = TypeVar("J", bound=JobState)


class Graph(Generic[J]):
    """The jobs of one pool, of class `J`.

    :param caches: what they require.
    :param first_in_first_out: ready jobs leave in the order in which they were added, not that in which they became
        ready.
    :ivar jobs: all of them, in the order in which they were added; a job's id is its place here.
    :ivar unfinished: how many have not ended.
    :ivar ready: the line of those that can run, and of some that were cancelled while they stood there.
    :ivar begun: whether the pool executes.
    :ivar commands: what to carry out, in this order.
    :ivar tells_added: whether to command that jobs were added: somebody listens.
    :ivar tells_all: whether to announce all changes: somebody listens. Else only ends that somebody has to hear of.
    :ivar changes: all changes, for who records them: job, new status, rank; None: nobody does.
    """

    def __init__(self, caches: Caches, first_in_first_out: bool = False) -> None:
        self._caches = caches
        self.jobs: list[J] = []
        # By link: the dependent, and the link before it of the same job, or -1. They stay when jobs have ended. A list
        # for each job would be spread all over the memory of a large graph, and the garbage collector would go through
        # all of them while jobs are made.
        self._dependents: list[JobState] = []
        self._before: array[int] = array("q")
        self.unfinished = 0
        self.ready: deque[JobState] | Heap = Heap() if first_in_first_out else deque()
        self.begun = False
        self.commands: deque[Command] = deque()
        self.tells_added = False
        self.tells_all = True
        self.changes: list[tuple[JobState, JobStatus, int | None]] | None = None

    # -- how jobs come in --------------------------------------------------------------------------

    def add(self, job: J, dependencies: Iterable[JobState]) -> bool:
        """A job was queued. Returns whether it can run."""
        job._id = len(self.jobs)
        self.jobs.append(job)
        self.unfinished += 1
        if self.tells_added:
            self.commands.append(Added(job))
        if job._cache_items:
            self._caches.require(job._cache_items)
        doomed: JobState | None = None
        for dependency in dependencies:
            if not dependency._status.ended:
                # The link counts when both rows have it: whatever interrupts this, the pool can still stop.
                self._before.append(dependency._dependents)
                self._dependents.append(job)
                dependency._dependents = len(self._dependents) - 1
                job._open_dependencies += 1
            elif dependency._status is not SUCCESS and doomed is None:
                doomed = dependency
        if doomed is not None:
            self.end(job, CANCELLED, _killed(doomed._error))
        elif self.begun and not job._open_dependencies:
            self._make_ready(job)
            return True
        return False

    def begin(self) -> list[J]:
        """The pool starts to execute. Returns the jobs that are queued now: they are not among the `changes`."""
        self.begun = True
        queued = [job for job in self.jobs if job._status is PENDING and not job._open_dependencies]
        changes, self.changes = self.changes, None
        change, append = self.change, self.ready.append
        for job in queued:
            change(job, QUEUED)
            append(job)
        self.changes = changes
        return queued

    def _make_ready(self, job: JobState) -> None:
        self.change(job, QUEUED)
        self.ready.append(job)

    # -- how they change, and end ------------------------------------------------------------------

    def change(self, job: JobState, status: JobStatus) -> None:
        """The one way for a job to change its status.

        :raises JobPoolError: the table of `bsbpool.engine.status` does not have the change.
        """
        old = job._status
        if status not in old.successors:
            raise JobPoolError(f"{job} is {old.value}, it can't become {status.value}: {_allowed(old)}")
        job._status = status
        if self.changes is not None:
            self.changes.append((job, status, job._rank))
        # Of an end hears who waits for that very job, and whoever keeps what went wrong.
        if self.tells_all or (status.ended and (status is not SUCCESS or job._callbacks)):
            self.commands.append(tuple.__new__(Announce, (job, old, status)))  # half of what a call takes

    def end(self, job: JobState, status: JobStatus, error: BaseException | None) -> None:
        """Let a job end, and all that follows from it."""
        if status is SUCCESS and job._dependents < 0 and not job._cache_items:  # most of them; nothing follows
            job._error = error
            self.change(job, SUCCESS)
            self.unfinished -= 1
            return
        dependents = self.settle(job, status, error)
        if status is SUCCESS:
            for dependent in dependents:
                dependent._open_dependencies -= 1
                if not dependent._open_dependencies and dependent._status is PENDING and self.begun:
                    self._make_ready(dependent)
            return
        doomed = deque(dependents)
        while doomed:
            dependent = doomed.popleft()
            if dependent._status is PENDING:
                doomed.extend(self.settle(dependent, CANCELLED, _killed(error)))

    def settle(self, job: JobState, status: JobStatus, error: BaseException | None) -> Sequence[JobState]:
        """Let this one job end. Returns its dependents."""
        job._error = error
        self.change(job, status)
        self.unfinished -= 1
        if job._cache_items:
            self._caches.release(job._cache_items)
        link = job._dependents
        if link < 0:
            return ()
        job._dependents = -1
        dependents = []
        while link >= 0:
            dependents.append(self._dependents[link])
            link = self._before[link]
        dependents.reverse()  # in the order in which they were added
        return dependents

    # -- questions ---------------------------------------------------------------------------------

    def open_dependencies(self, job: J) -> list[J]:
        """The dependencies of a job that have not ended, in the order in which they were added. It walks all jobs."""
        found = []
        for other in self.jobs:
            link = other._dependents
            while link >= 0 and self._dependents[link] is not job:
                link = self._before[link]
            if link >= 0:
                found.append(other)
        return found

    def validate(self, unfinished: Sequence[J]) -> None:
        """Check that this is of a piece.

        :param unfinished: the jobs that have not ended.
        :raises AssertionError: it is not.
        """
        required: dict[int, int] = {}
        open_dependencies: dict[int, int] = {}
        for job in unfinished:
            if job._cache_items:
                for item in job._cache_items:
                    required[item] = required.get(item, 0) + 1
        for job in unfinished if self._dependents else ():
            link = job._dependents
            while link >= 0:
                dependent = self._dependents[link]._id
                open_dependencies[dependent] = open_dependencies.get(dependent, 0) + 1
                link = self._before[link]
        assert self.unfinished == len(unfinished), f"{self.unfinished} are unfinished, and {len(unfinished)} are"
        self._caches.validate(required)
        begun = self.begun
        for job in unfinished:
            waits_for = job._open_dependencies
            if waits_for or open_dependencies:
                assert waits_for == open_dependencies.get(job._id, 0), f"{job} has other open dependencies"
            if begun and not waits_for:
                assert job._status is not PENDING, f"{job} waits for nothing, and is pending"


def _killed(error: BaseException | None) -> JobCancelledError:
    """Why the dependents of a job are cancelled that did not succeed; its cause is the first error of the chain."""
    inherited = type(own_facts(error)) is DependencyFailed
    made: JobCancelledError = error_of(DependencyFailed(), error.__cause__ if inherited and error else error)
    return made


def _allowed(status: JobStatus) -> str:
    if status.ended:
        return "a job that has ended never changes again"
    return f"from {status.value} a job becomes {' or '.join(s.value for s in status.successors)}"
