"""The engine decides which job runs where, and what becomes of it. It does no I/O, reads no clock and
starts nothing.

House rules:

- Whatever decides about jobs must live here; who asks, and how commands are carried out, must not.
- Events go in (the methods), commands come out (`Engine.commands`, in order).
- Each event costs O(1), or O(dependents), or O(cache items of the job); nothing walks all jobs but
  `begin` and `stop`, once each.
- Nothing iterates a set, and no decision reads `hash()` or `id()`: same events, same commands.

Theory of operation. A job (`JobState`) counts its open dependencies. When none is left, and the pool
executes, it is *queued* and joins the line of ready jobs, which leave it in that order. A ready rank that
has nothing to do is *idle*; the lowest idle rank takes the first ready job, and then the job is *running*.
A job that ends in success closes a dependency of its dependents; one that ends otherwise cancels them, and
theirs.

Sending ahead: where jobs are so short that a rank would wait for the next one longer than it runs, a rank is
sent several. It runs them in order, and tells of each one's end before it starts the next, so that the first
of those that it has not told of is the one that is running; the others are still queued. They can be called
back, come back by themselves when the one before them turns out to be long, and go back to the head of the
line when their rank is lost. A rank that holds cached items gets one job at a time, since each may come with
an order to free; one that takes an item in while others stand in its line drops those, and main knows. A job that has a
time limit travels alone, too: its rank may never answer, and whether others had started could not be told.

Time limits: a rank interrupts its job at the limit, by its own clock, and tells. If it could not, or does not answer,
the pool says that the job is stuck: it is aborted, and its rank stays taken until it tells of that job's end after all.

Lost ranks: the job that ran there is aborted, or, as long as it has retries left, queued again, ahead of all others.

Caching: the engine counts, for each cached item, the unfinished jobs that require it, and knows which ranks
hold it, because ranks say with each outcome what they took in. When nobody requires an item any more it is
put down as stale for the ranks that hold it, and the next job that such a rank gets comes with the order to
free it first.
"""

from __future__ import annotations

import heapq
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from ..exceptions import JobAbortedError, JobCancelledError, JobPoolError
from .status import JobStatus

PENDING, QUEUED, RUNNING = JobStatus.PENDING, JobStatus.QUEUED, JobStatus.RUNNING
SUCCESS, FAILED, CANCELLED, ABORTED = JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.ABORTED

#: Commands: (ADDED, job), (ANNOUNCE, job, old status, new status), and (ASSIGN, jobs, rank, cache items to free first).
ADDED, ANNOUNCE, ASSIGN = "added", "announce", "assign"

#: Nanoseconds of work that a rank is sent ahead of time, at most, and the number of jobs.
AHEAD_NS, MOST_AHEAD = 10_000_000, 64

#: Ranks that have no more jobs than this are sent another one after each; others many, after each half of them.
FEW = 8

#: Nanoseconds that jobs take, at most, for one of them to be sent ahead: where they take longer than that, what a rank
#: waits for the next is a few percent of it.
SHORT_NS = 20_000_000

DEPENDENCY_FAILED = "Job killed for dependency failure"


class Links:
    """What is looked at of a job each time that another one that it is linked to is queued or ends: it stands together
    in memory, since in a large graph that is all over it.
    """

    __slots__ = ("_dependents", "_open_dependencies", "_pool", "_status")


class JobState(Links):
    """What the engine knows of a job."""

    __slots__ = ("_cache_items", "_callbacks", "_error", "_id", "_limit", "_rank")

    def __init__(self, cache_items: Sequence[int] = ()):
        self._id = -1
        self._status = PENDING
        self._error: BaseException | None = None
        self._rank: int | None = None
        self._cache_items = cache_items
        #: nanoseconds that it may run for; None: any time.
        self._limit: int | None = None
        self._open_dependencies = 0
        #: its last link to a dependent, see `Engine`; -1: it has none.
        self._dependents = -1
        #: whoever wants to be told of its end, besides listeners.
        self._callbacks: list[Any] | None = None


def _killed(job: JobState) -> JobCancelledError:
    """Why the dependents of a job that did not succeed are cancelled; its cause is the first error of the chain."""
    killed, error = JobCancelledError(DEPENDENCY_FAILED), job._error
    inherited = isinstance(error, JobCancelledError) and error.args == (DEPENDENCY_FAILED,)
    killed.__cause__ = error.__cause__ if inherited and error is not None else error
    return killed


class Heap:
    """A line of jobs that leave it in the order in which they were added to the pool."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, JobState]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def append(self, job: JobState) -> None:
        """Put a job in its place."""
        heapq.heappush(self._heap, (job._id, job))

    def popleft(self) -> JobState:
        """Take the job out that was added to the pool first."""
        return heapq.heappop(self._heap)[1]

    appendleft = append

    def clear(self) -> None:
        """Take all jobs out."""
        self._heap.clear()


class Engine:
    """Decides for one pool; see the top of the file.

    :param first_in_first_out: ready jobs leave in the order in which they were added, not that in which they
        became ready; so it is where one rank runs them all.
    :param send_ahead: whether ranks may be sent more than one job.
    :ivar idle_first: whether what becomes ready by the end of a job goes to idle ranks at once; 0.1 let it wait for
        whatever came next, if the job's rank had jobs ahead, or somebody had ended it by hand.
    :param retries: how many times a job that was lost with its rank runs again.
    """

    def __init__(self, first_in_first_out: bool = False, send_ahead: bool = False, retries: int = 0) -> None:
        #: what to carry out, in this order.
        self.commands: deque[tuple[Any, ...]] = deque()
        #: all jobs, in the order in which they were added; a job's id is its place here.
        self.jobs: list[JobState] = []
        # By link: the dependent, and the link before it of the same job, or -1. They stay when jobs have ended. A list
        # for each job would be spread all over the memory of a large graph, and the garbage collector would go through
        # all of them while jobs are made.
        self._dependents: list[JobState] = []
        self._before: array[int] = array("q")
        #: how many jobs have not ended.
        self.unfinished = 0
        #: cache items that unfinished jobs require, with the number of those jobs.
        self.required: dict[int, int] = {}
        self._begun = False
        self._ready: deque[JobState] | Heap = Heap() if first_in_first_out else deque()
        self._idle: list[int] = []
        # By rank: the jobs that it was sent and has not told the end of; the first is running. And how many ranks have
        # more than that one.
        self._lines: dict[int, deque[JobState]] = {}
        self._supplied = 0
        #: whether to command that jobs were added: somebody listens.
        self.tells_added = False
        #: whether to announce all changes: somebody listens. Else only ends that somebody has to hear of.
        self.tells_all = True
        #: all changes, for who records them: job, new status, rank; None: nobody does.
        self.changes: list[tuple[JobState, JobStatus, int | None]] | None = None
        #: whether ranks may be sent more than one job.
        self.send_ahead = send_ahead
        self.idle_first = True
        # By id: jobs that were sent ahead and are to be cancelled if they come back; with the error to be.
        self._called_back: dict[int, BaseException] = {}
        #: whether it gives out no jobs for now.
        self.holding = False
        # Nanoseconds that jobs take: as a rule, and those of late that took the least.
        self._typical_ns: float | None = None
        self._brief_ns = 0.0
        self.retries = retries
        # By id: how many times a job was lost with its rank.
        self._losses: dict[int, int] = {}
        #: ranks that are at a job which was to end long ago, and may never come back.
        self.stuck: dict[int, None] = {}
        #: by rank: how often it told of items that it took into its cache.
        self.news: dict[int, int] = {}
        # By rank: how many jobs it had when it was last sent some; and how many cached items it holds.
        self._filled: dict[int, int] = {}
        self._held: dict[int, int] = {}
        self._holders: dict[int, list[int]] = {}
        self._stale: dict[int, list[int]] = {}

    @property
    def ranks(self) -> int:
        """How many ranks are there to run jobs."""
        return len(self._lines)

    # -- events ------------------------------------------------------------------------------------

    def add(self, job: JobState, dependencies: Iterable[JobState]) -> None:
        """A job was queued."""
        job._id = len(self.jobs)
        self.jobs.append(job)
        self.unfinished += 1
        if self.tells_added:
            self.commands.append((ADDED, job))
        for item in job._cache_items:
            self.required[item] = self.required.get(item, 0) + 1
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
            self._end(job, CANCELLED, _killed(doomed))
        elif self._begun and not job._open_dependencies:
            self._make_ready(job)
            self._assign()

    def begin(self) -> list[JobState]:
        """The pool starts to execute. Returns the jobs that are queued now: they are not among the `changes`."""
        self._begun = True
        queued = [job for job in self.jobs if job._status is PENDING and not job._open_dependencies]
        changes, self.changes = self.changes, None
        for job in queued:
            self._make_ready(job)
        self.changes = changes
        self._assign()
        return queued

    def ready(self, rank: int, cached: Iterable[int]) -> None:
        """A rank is there to run jobs, and holds these cached items."""
        self._lines[rank] = deque()
        self._stale[rank] = []
        self._held[rank] = self._filled[rank] = self.news[rank] = 0
        self.cached(rank, cached)
        heapq.heappush(self._idle, rank)
        self._assign()

    def cached(self, rank: int, items: Iterable[int]) -> None:
        """A rank has taken these items into its cache.

        Each job that it gets may come with an order to free from now on, which those in its line did not: it
        drops them, and what it is sent until it learns that this was heard of.
        """
        items = [*items]
        if not items or rank not in self._lines:
            return
        self.news[rank] += 1
        self.returned(rank, [*self._lines[rank]][1:])
        for item in items:
            self._held[rank] += 1
            if item in self.required:
                self._holders.setdefault(item, []).append(rank)
            else:
                self._stale[rank].append(item)

    def finished(
        self, job: JobState, error: BaseException | None, ns: int | None = None, interrupted: bool = False
    ) -> None:
        """A job came to its end: in success, or with an error. News of a job that has ended are ignored.

        :param ns: nanoseconds that it took; None if that says nothing of others.
        :param interrupted: it was interrupted at its limit.
        """
        rank = job._rank
        status = job._status
        if status is QUEUED and rank is not None:
            self.change(job, RUNNING)  # sent ahead, and could not even be packed
        elif status is not RUNNING:
            if rank in self._lines and job in self._lines[rank]:
                self.stuck.pop(rank, None)
                self._vacate(rank, job)  # its status was set by hand while its rank was at it, or it was stuck
            return
        if rank is None:  # run by hand
            self._end(job, SUCCESS if error is None else FAILED, error)
            self._spread()
            return
        # Two long jobs are enough to send no more ahead, it takes many short ones to do so again; a single one
        # may just have lost its core for a while.
        typical = self._typical_ns
        if ns is not None:
            if typical is None:
                self._typical_ns = self._brief_ns = ns
            else:
                self._typical_ns = min(ns, 16 * typical + 50_000) if ns > typical else 0.9 * typical + 0.1 * ns
                brief = 0.9 * self._brief_ns + 0.1 * ns
                self._brief_ns = ns if ns < brief else brief  # `min` would take three times as long
        self._end(job, SUCCESS if error is None else ABORTED if interrupted else FAILED, error)
        self._vacate(rank, job)

    def overdue(self, job: JobState, rank: int, error: BaseException) -> bool:
        """A job is past its limit, and its rank could not end it. Returns whether it still ran, and is aborted."""
        if job._status is not RUNNING or job._rank != rank:
            return False
        self.stuck[rank] = None
        self._end(job, ABORTED, error)
        return True

    def _vacate(self, rank: int, job: JobState) -> None:
        if self._called_back:
            self._called_back.pop(job._id, None)  # that came too late
        line = self._lines[rank]
        self._supplied -= len(line) == 2
        if line[0] is job:
            line.popleft()
        else:
            line.remove(job)
        if line:
            first = line[0]
            if first._status is QUEUED:
                self.change(first, RUNNING)
            self._spread()
            filled = self._filled[rank]
            if self._ready and (filled <= FEW or 2 * len(line) <= filled) and not self.holding:
                self._send(rank, self._how_many(rank))
        else:
            heapq.heappush(self._idle, rank)
            self._assign()

    def poll_slack_ns(self) -> int:
        """For how long, in nanoseconds, news of ranks may wait: each has a job to go on with for longer than that.

        It goes by jobs that took little of late, not by those that are typical: one in five that is long makes a line
        short, and the other four would be over long before main looks.
        """
        if not self._supplied or self._supplied < len(self._lines):
            return 0
        return int(self._brief_ns / 2)

    def returned(self, rank: int, jobs: Iterable[JobState]) -> None:
        """A rank gives back jobs that it was sent ahead and has not started."""
        if rank not in self._lines:
            return  # it is lost, and they were taken back then
        self._take_back(rank, [*jobs])
        self._assign()

    def _take_back(self, rank: int, jobs: list[JobState]) -> None:
        line = self._lines[rank]
        for job in reversed(jobs):
            if job._status is RUNNING:
                raise JobPoolError(f"rank {rank} gave back {job}, which it runs: this is an error in the pool")
            self._supplied -= len(line) == 2
            line.remove(job)
            job._rank = None
            if job._id in self._called_back:
                self._end(job, CANCELLED, self._called_back.pop(job._id))
            elif job._status is QUEUED:
                self._ready.appendleft(job)

    def open_dependencies(self, job: JobState) -> list[JobState]:
        """The dependencies of a job that have not ended, in the order in which they were added. It walks all jobs."""
        found = []
        for other in self.jobs:
            link = other._dependents
            while link >= 0 and self._dependents[link] is not job:
                link = self._before[link]
            if link >= 0:
                found.append(other)
        return found

    def is_ahead(self, job: JobState) -> bool:
        """Whether a job was sent ahead, so that its rank has to be asked whether it has started."""
        return job._status is QUEUED and job._rank is not None

    def assigned(self) -> dict[int, list[JobState]]:
        """By rank: the jobs that it was sent and whose end it has not told, in order."""
        return {rank: [*line] for rank, line in self._lines.items()}

    def ranks_ahead(self) -> dict[int, None]:
        """The ranks that have jobs which were sent ahead, so that which of them run is not known for sure."""
        return {rank: None for rank in self._lines if self.has_ahead(rank)}

    def has_ahead(self, rank: int) -> bool:
        """Whether a rank has jobs that were sent ahead."""
        return len(self._lines.get(rank, ())) > 1

    def run_by_hand(self, job: JobState) -> None:
        """Somebody runs a job without the pool's ranks.

        :raises JobPoolError: it has open dependencies, was sent to a rank, runs, or has ended.
        """
        if job._open_dependencies and job._status is PENDING:
            raise JobPoolError(f"{job} can't run yet: {job._open_dependencies} of its dependencies have not ended")
        if self.is_ahead(job):
            raise JobPoolError(f"{job} can't be run here: it was sent to rank {job._rank}")
        if job._status is PENDING:
            self.change(job, QUEUED)
        self.change(job, RUNNING)

    def set_status(self, job: JobState, status: JobStatus, error: BaseException | None = None) -> None:
        """Somebody sets a job's status by hand. A rank that runs it stays taken until it has told of its end.

        :raises JobPoolError: the table of `bsbpool.engine.status` does not have the change.
        """
        if self.is_ahead(job):
            raise JobPoolError(f"{job} was handed to rank {job._rank}, which may have started it: cancel() it instead")
        if status.ended and status in job._status.successors:
            self._end(job, status, error)
            self._spread()
        elif status is QUEUED and job._status is RUNNING:
            raise JobPoolError(
                f"{job} is running, it can't be queued again by hand: only a job that was lost with its rank is"
            )
        else:
            self.change(job, status)
            if status is QUEUED:
                self._ready.append(job)
                self._assign()

    def cancel(self, job: JobState, reason: str | None) -> bool:
        """Somebody wants a job cancelled. Returns whether it was: it had not started.

        One that was sent ahead is not cancelled until its rank returns it: `is_ahead` says so.
        """
        error = JobCancelledError(reason if reason is not None else "Job was cancelled")
        if self.is_ahead(job):
            self._called_back[job._id] = error
        elif job._status is PENDING or job._status is QUEUED:
            self._end(job, CANCELLED, error)
            return True
        return False

    def hold(self) -> None:
        """Give out no more jobs, until it goes on."""
        self.holding = True

    def go_on(self) -> None:
        """Give out jobs again."""
        self.holding = False
        self._assign()

    def lost(self, rank: int, error: BaseException) -> JobState | None:
        """A rank is gone. Returns the job that ran there, which is aborted, or queued again."""
        if rank not in self._lines:
            return None
        line = self._lines[rank]
        if not line:
            self._idle.remove(rank)
            heapq.heapify(self._idle)
        self._take_back(rank, [*line][1:])
        running = line.popleft() if line else None
        self.stuck.pop(rank, None)
        del self._lines[rank], self._stale[rank], self._held[rank], self._filled[rank]
        if running is not None and running._status is not RUNNING:
            running = None  # its status was set by hand, or it was stuck
        if running is not None:
            losses = self._losses[running._id] = self._losses.get(running._id, 0) + 1
            self._called_back.pop(running._id, None)  # that came too late, and was answered so
            if losses <= self.retries:
                running._rank = None
                self.change(running, QUEUED)
                self._ready.appendleft(running)
            else:
                if losses > 1:
                    error = type(error)(f"{error}, and with it this job for the {_nth(losses)} time")
                self._end(running, ABORTED, error)
        self._assign()
        return running

    def was_lost(self, job: JobState) -> bool:
        """Whether a job was lost with its rank at least once."""
        return job._id in self._losses

    def stop(self, why: str) -> None:
        """The pool ends early: what had not started is cancelled, what runs is aborted."""
        for job in self.jobs:
            if job._status is RUNNING:
                self._settle(job, ABORTED, JobAbortedError(why))
            elif not job._status.ended:
                self._settle(job, CANCELLED, JobCancelledError(why))
        self._ready.clear()

    def still_stale(self, rank: int, items: list[int]) -> list[int]:
        """Which of these items, that a rank was to free, still nobody requires, now that it is told.

        Jobs may have been queued since that was decided. The rank got one job then, and keeps what they require.
        """
        free = []
        for item in items:
            if item in self.required and rank in self._held:
                self._held[rank] += 1
                self._holders.setdefault(item, []).append(rank)
            else:
                free.append(item)
        return free

    def holdings(self) -> dict[int, list[int]]:
        """The cached items that each rank holds, of those that hold any; they free them when the pool ends."""
        held: dict[int, list[int]] = {rank: [*items] for rank, items in self._stale.items()}
        for item, ranks in self._holders.items():
            for rank in ranks:
                if rank in held:
                    held[rank].append(item)
        return {rank: sorted(items) for rank, items in held.items() if items}

    def validate(self) -> None:
        """Check that what the engine knows is of a piece, between two events; for tests, since it walks all jobs.

        :raises AssertionError: it is not.
        """
        unfinished = [job for job in self.jobs if not job._status.ended]
        required: dict[int, int] = {}
        open_dependencies: dict[int, int] = {}
        for job in unfinished:
            for item in job._cache_items:
                required[item] = required.get(item, 0) + 1
            link = job._dependents
            while link >= 0:
                dependent = self._dependents[link]._id
                open_dependencies[dependent] = open_dependencies.get(dependent, 0) + 1
                link = self._before[link]
        assert self.unfinished == len(unfinished), f"{self.unfinished} are unfinished, and {len(unfinished)} are"
        assert self.required == required, f"{self.required} is required, and {required} is"
        waiting = [job for job in self._waiting_in_line() if job._status is QUEUED and job._rank is None]
        assert len({job._id for job in waiting}) == len(waiting), "a job stands in the line of ready jobs twice"
        sent: dict[int, int] = {}
        for rank, line in self._lines.items():
            for place, job in enumerate(line):
                assert job._rank == rank or job._status.ended, f"{job} stands in the line of rank {rank}"
                assert job._id not in sent, f"{job} was sent to rank {rank}, and to rank {sent[job._id]}"
                # A pool that stops ends them where they stand.
                fits = place == 0 or job._status is QUEUED or not unfinished
                assert fits, f"{job} stands behind another, and is {job._status.value}"
                assert job._status is not QUEUED or place, f"{job} is first on rank {rank}, and does not run"
                sent[job._id] = rank
            alone = [job for job in line if job._cache_items or job._limit is not None]
            assert not alone or len(line) == 1, f"{alone[0]} does not travel alone"
            assert len(line) <= (MOST_AHEAD if self.send_ahead and not self._held[rank] else 1), f"too many: {[*line]}"
        called_back = [id for id in self._called_back if id not in sent]
        assert not called_back, f"job {called_back[0]} is called back, and no rank has it"
        for job in unfinished:
            assert job._open_dependencies == open_dependencies.get(job._id, 0), f"{job} has other open dependencies"
            if job._status is PENDING:
                assert not self._begun or job._open_dependencies, f"{job} waits for nothing, and is pending"
            elif job._status is RUNNING and job._rank is not None:
                assert sent.get(job._id) == job._rank, f"{job} runs on rank {job._rank}, and is not in its line"
        ready = {job._id for job in waiting}
        lost = [job for job in unfinished if job._status is QUEUED and job._id not in ready and job._id not in sent]
        assert not lost, f"{lost[0]} is queued, and nobody has it"
        supplied = sum(len(line) > 1 for line in self._lines.values())
        assert self._supplied == supplied, f"{self._supplied} ranks have more than one job, and {supplied} have"
        idle = [rank for rank, line in self._lines.items() if not line]
        assert sorted(self._idle) == sorted(idle), f"{self._idle} are idle, and {idle} are"
        spread = self.holding or not (waiting and idle) or not self.idle_first
        assert spread, f"{waiting[:3]} could run on {idle[:3]}"
        held = self.holdings()
        for rank, count in self._held.items():
            assert count == len(held.get(rank, ())), f"rank {rank} holds {count} items, and {held.get(rank)}"
        assert all(rank in self._lines for rank in self.stuck), f"{[*self.stuck]} are stuck, and not there"

    def _waiting_in_line(self) -> list[JobState]:
        ready = self._ready
        return [job for _, job in ready._heap] if isinstance(ready, Heap) else [*ready]

    # -- consequences ------------------------------------------------------------------------------

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
        if self.tells_all or (status.ended and (status is not SUCCESS or job._callbacks)):
            self.commands.append((ANNOUNCE, job, old, status))

    def _make_ready(self, job: JobState) -> None:
        self.change(job, QUEUED)
        self._ready.append(job)

    def _assign(self) -> None:
        """Give ready jobs to idle ranks, as long as there are both."""
        ready, idle = self._ready, self._idle
        while idle and ready and not self.holding:
            rank = heapq.heappop(idle)
            if not self._send(rank, self._how_many(rank)):
                heapq.heappush(idle, rank)

    def _spread(self) -> None:
        """Give what the end of a job has made ready to idle ranks, by the rule `idle_first`."""
        if self.idle_first:
            self._assign()

    def _how_many(self, rank: int) -> int:
        """How many jobs the rank should have at the most: the one that it runs, and those ahead of time."""
        if not self.send_ahead or self._typical_ns is None or self._held[rank]:
            return 1
        if self._typical_ns > SHORT_NS:
            return 1
        most = min(MOST_AHEAD, 1 + max(1, int(AHEAD_NS / (self._typical_ns + 1))))
        ready, ranks = len(self._ready), len(self._lines)
        if ranks == 1:
            return most
        # Never more than leaves the other ranks as much, and never the last for another one: those are to be spread.
        one_ahead = ready + len(self._lines[rank]) > ranks
        return max(1, min(most, max(ready // (2 * ranks), 1 + one_ahead)))

    def _send(self, rank: int, most: int) -> bool:
        """Fill the line of a rank up to `most` jobs. Returns whether there was any."""
        ready, line = self._ready, self._lines[rank]
        jobs: list[JobState] = []
        while ready and len(line) < most:
            job = ready.popleft()
            if job._status is not QUEUED:
                continue  # cancelled while it stood in line
            alone = job._cache_items or job._limit is not None
            if alone and line:
                ready.appendleft(job)
                break
            job._rank = rank
            line.append(job)
            jobs.append(job)
            if alone:
                break
        if not jobs:
            return False
        self._supplied += len(line) > 1 >= len(line) - len(jobs)
        self._filled[rank] = len(line)
        if jobs[0] is line[0]:
            self.change(jobs[0], RUNNING)
        self.commands.append((ASSIGN, jobs, rank, self._to_free(rank)))
        return True

    def _to_free(self, rank: int) -> list[int]:
        stale = self._stale[rank]
        if not stale:
            return []
        self._stale[rank] = []
        free = []
        for item in stale:
            if item in self.required:  # somebody queued a job that requires it after all
                self._holders.setdefault(item, []).append(rank)
            else:
                free.append(item)
        self._held[rank] -= len(free)
        return free

    def _end(self, job: JobState, status: JobStatus, error: BaseException | None) -> None:
        """Let a job end, and all that follows from it."""
        dependents = self._settle(job, status, error)
        if status is SUCCESS:
            for dependent in dependents:
                dependent._open_dependencies -= 1
                if not dependent._open_dependencies and dependent._status is PENDING and self._begun:
                    self._make_ready(dependent)
            return
        doomed = deque(dependents)  # a line, not a recursion: chains can be long
        while doomed:
            dependent = doomed.popleft()
            if dependent._status is PENDING:
                doomed.extend(self._settle(dependent, CANCELLED, _killed(job)))

    def _settle(self, job: JobState, status: JobStatus, error: BaseException | None) -> Sequence[JobState]:
        """Let this one job end. Returns its dependents."""
        job._error = error
        self.change(job, status)
        self.unfinished -= 1
        if job._cache_items:
            for item in job._cache_items:
                self._release(item)
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

    def _release(self, item: int) -> None:
        count = self.required[item] - 1
        if count:
            self.required[item] = count
            return
        del self.required[item]
        for rank in self._holders.pop(item, ()):
            if rank in self._stale:
                self._stale[rank].append(item)


def _allowed(status: JobStatus) -> str:
    if status.ended:
        return "a job that has ended never changes again"
    return f"from {status.value} a job becomes {' or '.join(s.value for s in status.successors)}"


def _nth(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
