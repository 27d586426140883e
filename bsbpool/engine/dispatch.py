"""Which rank gets which jobs: the queue of each rank, sending ahead, calling back and giving back, stuck ranks.

A ready rank without a job is *idle*; the lowest idle rank takes the first ready job, and then the job is *running*.

Sending ahead: if jobs are so short that a rank would wait longer for the next one than it runs, a rank gets several. It
runs them in order, and reports the end of each one before it starts the next. So the first job whose end was not
reported is running, and the others are still queued. Main can call these back. They also come back by themselves if the
job before them takes long, and return to the head of the queue if their rank is lost.

A rank with cached items gets one job at a time, because each job may come with an order to free items. A rank that
caches an item while jobs wait in its queue drops these, and main knows this. A job with a time limit is sent alone,
too: its rank may never answer, and then main could not know whether other jobs have started.

The consequences of a job's end for other jobs belong in `graph`, and those of failures in `failure`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from typing import Any

from ..exceptions import JobPoolError
from .caching import Caches
from .commands import Assign
from .graph import Graph
from .state import Heap, JobState
from .status import JobStatus

QUEUED, RUNNING, CANCELLED = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.CANCELLED

#: Nanoseconds of work that a rank is sent ahead of time, at most, and the number of jobs.
AHEAD_NS, MOST_AHEAD = 10_000_000, 64

#: Ranks that have no more jobs than this are sent another one after each; others many, after each half of them.
FEW = 8

#: Nanoseconds that jobs take, at most, for one of them to be sent ahead: where they take longer than that, what a rank
#: waits for the next is a few percent of it.
SHORT_NS = 20_000_000

#: Nanoseconds after which a rank gives back the jobs that stand behind a running one, since other ranks may be idle: at
#: the least, and at the most.
PATIENCE, MOST_PATIENCE = 5_000_000, 2 * SHORT_NS


def patience_ns(took: int) -> int:
    """For how long a job may run before its rank gives back those behind it: for twice as long as the last one.

    :param took: nanoseconds that the job before it took on that rank.
    """
    return min(max(PATIENCE, 2 * took), MOST_PATIENCE)


class Dispatch:
    """Which rank has which jobs.

    :param graph: the jobs.
    :param caches: what ranks hold.
    :param send_ahead: whether ranks may be sent more than one job.
    :ivar lines: by rank: the jobs that it was sent and has not told the end of; the first is running.
    :ivar idle_first: whether what becomes ready by the end of a job goes to idle ranks at once; 0.1 let it wait for
        whatever came next, if the job's rank had jobs ahead, or somebody had ended it by hand.
    :ivar holding: whether it gives out no jobs for now.
    :ivar stuck: ranks that are at a job which was to end long ago, and may never come back.
    :ivar gone: ranks that were lost, in that order.
    """

    def __init__(self, graph: Graph[Any], caches: Caches, send_ahead: bool = False) -> None:
        self._graph = graph
        self._caches = caches
        self._ready = graph.ready
        self._commands = graph.commands
        self._change = graph.change
        self.send_ahead = send_ahead
        self.idle_first = True
        self.holding = False
        self.lines: dict[int, deque[JobState]] = {}
        self.stuck: dict[int, None] = {}
        self.gone: dict[int, None] = {}
        self._idle: list[int] = []
        # How many ranks have more jobs than the one that they run; and by rank, how many it had when it was last sent
        # some.
        self._supplied = 0
        self._filled: dict[int, int] = {}
        # By id: jobs that were sent ahead and are to be cancelled if they come back; with the error to be.
        self._called_back: dict[int, BaseException] = {}
        # How many jobs are worth sending where one takes so many nanoseconds; it was asked for those last.
        self._worth = (-1.0, 1)
        # Nanoseconds that jobs take: as a rule, and those of late that took the least.
        self._typical_ns: float | None = None
        self._brief_ns = 0.0

    # -- ranks -------------------------------------------------------------------------------------

    def joined(self, rank: int) -> None:
        """A rank is there to run jobs."""
        self.lines[rank] = deque()
        self._filled[rank] = 0
        heapq.heappush(self._idle, rank)

    def lost(self, rank: int) -> JobState | None:
        """A rank is gone that was there. Returns the job that it had begun and that is not over, if there is one."""
        line = self.lines[rank]
        if not line:
            self._idle.remove(rank)
            heapq.heapify(self._idle)
        self.take_back(rank, [*line][1:])
        running = line.popleft() if line else None
        self.stuck.pop(rank, None)
        del self.lines[rank], self._filled[rank]
        if running is None:
            return None
        self._called_back.pop(running._id, None)  # that came too late, and was answered so
        return running if running._status is RUNNING else None  # its status was set by hand, or it was stuck

    # -- giving out --------------------------------------------------------------------------------

    def assign(self) -> None:
        """Give ready jobs to idle ranks, as long as there are both."""
        ready, idle = self._ready, self._idle
        while idle and ready and not self.holding:
            rank = heapq.heappop(idle)
            if not self._send(rank, self._how_many(rank)):
                heapq.heappush(idle, rank)

    def spread(self) -> None:
        """Give what the end of a job has made ready to idle ranks, by the rule `idle_first`."""
        if self.idle_first:
            self.assign()

    def vacate(self, rank: int, job: JobState) -> None:
        """Note that a job is over on its rank, which continues with the next in its queue, and is sent more jobs if it
        has few.
        """
        line = self.lines[rank]
        if self._called_back:
            self._called_back.pop(job._id, None)  # that came too late: it had started, and is over
        self._supplied -= len(line) == 2
        if line[0] is job:
            line.popleft()
        else:
            line.remove(job)
        if line:
            first = line[0]
            if first._status is QUEUED:
                self._change(first, RUNNING)
            if self.idle_first and self._idle:
                self.assign()
            filled = self._filled[rank]
            if self._ready and (filled <= FEW or 2 * len(line) <= filled) and not self.holding:
                self._send(rank, self._how_many(rank))
        else:
            heapq.heappush(self._idle, rank)
            if self._ready:
                self.assign()

    def queue_again(self, job: JobState) -> None:
        """A job that ran is to run once more, ahead of all others."""
        job._rank = None
        self._change(job, QUEUED)
        self._ready.appendleft(job)

    def _how_many(self, rank: int) -> int:
        """How many jobs the rank should have at the most: the one that it runs, and those ahead of time."""
        typical = self._typical_ns
        if not self.send_ahead or typical is None or self._caches.held[rank]:
            return 1
        if typical > SHORT_NS:
            return 1
        known, most = self._worth
        if known != typical:
            most = min(MOST_AHEAD, 1 + max(1, int(AHEAD_NS / (typical + 1))))
            self._worth = (typical, most)
        ready, ranks = len(self._ready), len(self.lines)
        if ranks == 1:
            return most
        # Never more than leaves the other ranks as much, and never the last for another one: those are to be spread.
        share = ready // (2 * ranks)
        if share < 2:
            share = 2 if ready + len(self.lines[rank]) > ranks else 1
        return share if share < most else most

    def _send(self, rank: int, most: int) -> bool:
        """Fill the line of a rank up to `most` jobs. Returns whether there was any."""
        ready, line = self._ready, self.lines[rank]
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
            self._change(jobs[0], RUNNING)
        self._commands.append(tuple.__new__(Assign, (jobs, rank, self._caches.to_free(rank))))
        return True

    # -- how long jobs take ------------------------------------------------------------------------

    def took(self, ns: int) -> None:
        """A job took so many nanoseconds.

        Two long jobs are enough to send no more ahead, it takes many short ones to do so again; a single one may just
        have lost its core for a while.
        """
        typical = self._typical_ns
        if typical is None:
            self._typical_ns = self._brief_ns = ns
        else:
            self._typical_ns = min(ns, 16 * typical + 50_000) if ns > typical else 0.9 * typical + 0.1 * ns
            brief = 0.9 * self._brief_ns + 0.1 * ns
            self._brief_ns = ns if ns < brief else brief  # `min` would take three times as long

    def poll_slack_ns(self) -> int:
        """For how long, in nanoseconds, news of ranks may wait: each has a job to go on with for longer than that.

        It goes by jobs that took little of late, not by those that are typical: one in five that is long makes a line
        short, and the other four would be over long before main looks.
        """
        if not self._supplied or self._supplied < len(self.lines):
            return 0
        return int(self._brief_ns / 2)

    # -- jobs that were sent ahead -----------------------------------------------------------------

    def is_ahead(self, job: JobState) -> bool:
        """Return whether a job was sent ahead, so that its rank has to be asked whether it has started."""
        return job._status is QUEUED and job._rank is not None

    def assigned(self) -> dict[int, list[JobState]]:
        """By rank: the jobs that it was sent and whose end it has not told, in order."""
        return {rank: [*line] for rank, line in self.lines.items()}

    def ranks_ahead(self) -> dict[int, None]:
        """The ranks that have jobs which were sent ahead, so that which of them run is not known for sure."""
        return {rank: None for rank in self.lines if self.has_ahead(rank)}

    def has_ahead(self, rank: int | None) -> bool:
        """Return whether a rank has jobs that were sent ahead."""
        return rank is not None and len(self.lines.get(rank, ())) > 1

    def call_back(self, job: JobState, error: BaseException) -> None:
        """A job that was sent ahead is to be cancelled, with this error, if its rank gives it back."""
        self._called_back[job._id] = error

    def take_back(self, rank: int, jobs: list[JobState]) -> None:
        """A rank has not started these jobs, and will not: they go to the head of the line of ready jobs."""
        line = self.lines[rank]
        for job in reversed(jobs):
            if job._status is RUNNING:
                raise JobPoolError(f"rank {rank} gave back {job}, which it runs: this is an error in the pool")
            self._supplied -= len(line) == 2
            line.remove(job)
            job._rank = None
            if job._id in self._called_back:
                self._graph.end(job, CANCELLED, self._called_back.pop(job._id))
            elif job._status is QUEUED:
                self._ready.appendleft(job)

    def validate(self, unfinished: Sequence[JobState]) -> None:
        """Check that this is of a piece.

        :param unfinished: the jobs that have not ended.
        :raises AssertionError: it is not.
        """
        waiting = [job for job in self._waiting_in_line() if job._status is QUEUED and job._rank is None]
        ready = {job._id for job in waiting}
        assert len(ready) == len(waiting), "a job stands in the line of ready jobs twice"
        sent: dict[int, int] = {}
        held = self._caches.held
        supplied, idle = 0, []
        for rank, line in self.lines.items():
            if not line:
                idle.append(rank)
                continue
            for job in line:
                id = job._id
                assert job._rank == rank or job._status.ended, f"{job} stands in the line of rank {rank}"
                assert id not in sent, f"{job} was sent to rank {rank}, and to rank {sent[id]}"
                sent[id] = rank
            assert line[0]._status is not QUEUED, f"{line[0]} is first on rank {rank}, and does not run"
            if (count := len(line)) == 1:
                continue
            supplied += 1
            assert count <= (MOST_AHEAD if self.send_ahead and not held[rank] else 1), f"too many: {[*line]}"
            for place, job in enumerate(line):
                # A pool that stops ends them where they stand.
                right = not place or job._status is QUEUED or not unfinished
                assert right, f"{job} stands behind another, and is {job._status.value}"
                assert not job._cache_items and job._limit is None, f"{job} does not travel alone"
        called_back = [id for id in self._called_back if id not in sent]
        assert not called_back, f"job {called_back[0]} is called back, and no rank has it"
        for job in unfinished:
            if job._id in ready or job._id in sent:
                continue  # those that are sent have the rank of their line, as was seen above
            assert job._status is not QUEUED, f"{job} is queued, and nobody has it"
            runs = job._status is RUNNING and job._rank is not None
            assert not runs, f"{job} runs on rank {job._rank}, and is not in its line"
        assert self._supplied == supplied, f"{self._supplied} ranks have more than one job, and {supplied} have"
        assert sorted(self._idle) == sorted(idle), f"{self._idle} are idle, and {idle} are"
        spread = self.holding or not (waiting and idle) or not self.idle_first
        assert spread, f"{waiting[:3]} could run on {idle[:3]}"
        for rank in self.stuck:
            assert rank in self.lines, f"rank {rank} is stuck, and not there"
            at = [job._status for job in self.lines[rank]]
            assert at == [JobStatus.ABORTED], f"rank {rank} is stuck, and at no job that was given up"

    def _waiting_in_line(self) -> list[JobState]:
        ready = self._ready
        return [job for _, job in ready._heap] if isinstance(ready, Heap) else [*ready]
