"""The history of each job, pool and cache, gathered from a trace in one pass.

Summaries, pictures and pages are made from it, without reading the events again. Totals, shares and critical paths
belong to `summary`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import wording
from ..engine.status import JobStatus
from ..facts import Error, Fault
from .events import Event, JobStatusChanged, PoolEvent, TracedError
from .format import Trace
from .reading import read_events

__all__ = ["CacheChange", "History", "JobHistory", "Mark", "PoolHistory", "pools_at_once"]

#: What a job is aborted with if that is an error of its own; else its pool was stopped.
_ERRORS = ("RankLostError", "JobTimeoutError")
_ENDED = {status.value for status in JobStatus if status.ended}


@dataclass(slots=True)
class JobHistory:
    """The history of a job; times in nanoseconds, on main's clock.

    :ivar name: its strategy: the name of who submitted it.
    :ivar rank: where it ran; 0 if it did not.
    :ivar created: when it was queued in the pool.
    :ivar queued: when it became ready to run; its creation if that is not told.
    :ivar running: when main sent it to its rank; None if it did not run.
    :ivar outcome: when it started and ended on its rank's clock, and when main received that.
    :ivar finished: when main learned how it ended; None if the trace stops before.
    :ivar tries: runs that were lost with their rank, so that it was tried again: rank, when main sent it, and when
        main learned of the loss.
    :ivar raised: where its error was raised, as the trace has it: that error, its causes, and the members of a group.
    :ivar ready: each time at which it became ready to run: more than one if it was tried again.
    """

    id: int
    kind: str
    name: str
    context: Mapping[str, Any]
    deps: Sequence[int]
    cache: Sequence[int]
    created: int
    queued: int
    status: str = "pending"
    rank: int = 0
    running: int | None = None
    outcome: tuple[int, int, int] | None = None
    finished: int | None = None
    error: Error | None = None
    tries: tuple[tuple[int, int, int], ...] = ()
    raised: Sequence[TracedError] = ()
    ready: tuple[int, ...] = ()

    def interval(self, last: int) -> tuple[int, int] | None:
        """From when to when it ran, on main's clock; None if it did not.

        :param last: the time up to which a job ran that had not ended where the trace stops.
        """
        if self.running is None:
            return None
        if self.outcome is None:
            return self.running, last if self.finished is None else self.finished
        started, ended, received = self.outcome
        if not self.queued <= started <= ended <= received:
            # The clock of another host: only the length can be believed.
            started, ended = received - max(0, ended - started), received
        return started, ended

    @property
    def cut(self) -> bool:
        """Whether its last run came to no end of its own: its rank was lost, its pool stopped, or the trace does.

        What it took then is less than it would have taken, and is no sample of what jobs take.
        """
        return self.running is not None and self.outcome is None and self.status in ("running", "aborted")

    @property
    def failed(self) -> bool:
        """Whether it raised, was lost with its rank, or ran past its time limit."""
        return self.status == "failed" or (
            self.status == "aborted" and self.error is not None and self.error.type in _ERRORS
        )


@dataclass(slots=True)
class PoolHistory:
    """One pool; times in nanoseconds.

    :ivar place: its place among the pools of the trace, from 0.
    :ivar ranks: the number of ranks of its communicator.
    :ivar ended: when `execute` ended on main; None if the trace stops before.
    :ivar error: what `execute` raised.
    :ivar announced: whether it is BSB's own, of which the trace has only what that announced.
    :ivar raised: where errors were raised that are of no job: of schedulers, listeners, callbacks and clean-ups.
    :ivar presence: when main learned that a rank is there to run jobs, or (False) is gone: time, rank, which.
    """

    place: int
    id: Any
    opened: int
    ranks: int
    jobs: dict[int, JobHistory] = field(default_factory=dict)
    ended: int | None = None
    error: Error | None = None
    announced: bool = False
    raised: list[Sequence[TracedError]] = field(default_factory=list)
    presence: list[tuple[int, int, bool]] = field(default_factory=list)

    def end(self, last: int) -> int:
        """When it ended; `last`, where the trace stops, if it had not ended there."""
        return last if self.ended is None else self.ended


def pools_at_once(pools: Sequence[PoolHistory], last: int) -> list[list[PoolHistory]]:
    """The pools, in groups of those that were open at the same time.

    :param last: where the trace stops.
    """
    groups: list[list[PoolHistory]] = []
    until = -1
    for pool in pools:
        if not groups or pool.opened >= until:
            groups.append([])
        groups[-1].append(pool)
        until = max(until, pool.end(last))
    return groups


@dataclass(frozen=True, slots=True)
class CacheChange:
    """Items that a rank took into its cache, or freed.

    :ivar items: ids of cached items; None for all that were left, which goes for every rank, at a pool's end.
    """

    t: int
    rank: int
    taken: bool
    items: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened to a rank: it was lost, which is an error, or a script did something to it."""

    t: int
    rank: int
    what: Error | Fault

    def __str__(self) -> str:
        return wording.mark_of(self.what)


class History:
    """The history of a run: its jobs, pools, ranks and caches.

    :ivar header: the first line of the trace; empty if these were just events.
    :ivar ranks: how many ranks the largest pool had.
    :ivar first: when the first pool was opened, in nanoseconds.
    :ivar last: the time of the last event.
    :ivar events: how many events the trace has.
    """

    def __init__(self, trace: Trace | Iterable[Event]):
        self._begin(getattr(trace, "header", {}))
        take = self._take
        for event in trace.events if isinstance(trace, Trace) else trace:
            take(event)
        self._finish()

    @classmethod
    def of_file(cls, path: str | os.PathLike[str]) -> tuple[History, list[str]]:
        """What happened in the run of which a file is the trace. Its events are not kept.

        :param path: the file, as `read_trace` takes it.
        :returns: the history, and problems of the file that did not prevent reading it.
        :raises TraceError: see `read_trace`.
        """
        history = cls.__new__(cls)

        def begin(header: Mapping[str, Any]) -> Callable[[Event], None]:
            history._begin(header)
            return history._take

        warnings = read_events(path, begin)
        history._finish()
        return history, warnings

    def _begin(self, header: Mapping[str, Any]) -> None:
        self.header: Mapping[str, Any] = header
        self.pools: list[PoolHistory] = []
        self.caches: list[CacheChange] = []
        self.marks: list[Mark] = []
        self.ranks = 1
        self.last = 0
        self.events = 0
        self._by_id: dict[int | str, PoolHistory] = {}  # the pool that was opened last under an id

    def _finish(self) -> None:
        self.first = self.pools[0].opened if self.pools else 0
        self.last = max(self.first, self.last)

    def _take(self, event: Event) -> None:
        self.events += 1
        if event.t > self.last:
            self.last = event.t
        if event.e == "pool":
            self.ranks = max(self.ranks, event.ranks)
            pool = self._by_id[event.pool] = PoolHistory(len(self.pools), event.pool, event.t, event.ranks)
            self.pools.append(pool)
        elif event.e == "fault":
            self.marks.append(Mark(event.t, event.rank, event.what))
        elif event.e != "receive":
            self._read_of_pool(self._by_id[event.pool], event)

    def _read_of_pool(self, pool: PoolHistory, event: PoolEvent) -> None:
        t = event.t
        if event.e == "status":
            self._read_status(pool.jobs[event.job], event)
        elif event.e == "message":
            pool.jobs[event.job].outcome = (event.started, event.ended, t)
        elif event.e == "job":
            pool.jobs[event.job] = JobHistory(
                event.job, event.kind, event.name, event.context or {}, event.deps, event.cache, t, t
            )
        elif event.e == "announced":
            pool.announced = True
        elif event.e == "traceback":
            if event.job is not None:
                pool.jobs[event.job].raised = event.errors
            elif event.errors not in pool.raised[-1:]:  # what a listener raised is told again at the end
                pool.raised.append(event.errors)
        elif event.e == "end":
            pool.ended, pool.error = t, event.error
            self.caches.append(CacheChange(t, 0, False, None))
        elif event.e in ("cached", "freed"):
            self.caches.append(CacheChange(t, event.rank, event.e == "cached", event.items))
        elif event.e == "ready":
            pool.presence.append((t, event.rank, True))
        elif event.e == "lost":
            pool.presence.append((t, event.rank, False))
            self.marks.append(Mark(t, event.rank, event.error))

    def _read_status(self, job: JobHistory, event: JobStatusChanged) -> None:
        t, job.status = event.t, event.status
        if job.status == "queued":
            if job.running is not None:
                job.tries = (*job.tries, (job.rank, job.running, t))
                job.running = None
            job.queued = t
            job.ready = (*job.ready, t)
        elif job.status == "running":
            job.running = t
            job.rank = event.rank or 0  # one that is run by hand runs on main
            self.ranks = max(self.ranks, job.rank + 1)
        elif job.status in _ENDED:
            job.finished = t
            job.error = event.error
