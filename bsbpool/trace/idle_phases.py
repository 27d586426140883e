"""What the idle ranks of some pools wait for: one list of phases for all ranks that are in the same pools.

Its phases follow each other without a gap, from the opening of the first pool to the last event. How long which ranks
idle in them is summed up here as well; when they idle is told by `idle`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

from .history import JobHistory, PoolHistory, pools_at_once

__all__ = ["Cause", "PhaseSums", "Stretch", "phases_of"]


class Cause(Enum):
    """Why a rank ran no job."""

    NOT_READY = "no job ready"
    """All jobs that had not started waited for others to end; the one that made the next one ready is named."""
    NOT_QUEUED = "no job queued"
    """The program had queued no job that could run, or had not begun to execute the pool."""
    MAIN = "main busy"
    """Jobs were ready, and main had given none to this rank: it was busy, or they were in another rank's queue."""
    MESSAGE = "message under way"
    """The outcome of its last job was on its way to main, or its next job on its way to it."""
    BETWEEN = "between two jobs"
    """It had been sent its next job ahead of time, told main of the last one, and took the next."""
    ABSENT = "rank not there"
    """It had not come to the pool: its program was elsewhere."""
    LOST = "rank lost"
    """It had died, or left the pool."""
    TAIL = "tail of the pool"
    """No job became ready any more; the job that ended last is named, as long as it ran."""
    NO_POOL = "no pool open"
    """No pool that it is in was open."""
    UNTOLD = "not told"
    """The pool is BSB's own, which does not announce what runs where."""

    # There is one object for each cause; the hash that an enumeration has is a function in Python.
    __hash__ = object.__hash__


# Each access to a member of an enumeration takes Python 3.11 as long as a call.
_MAIN, _NOT_READY, _NOT_QUEUED = Cause.MAIN, Cause.NOT_READY, Cause.NOT_QUEUED


class Stretch(NamedTuple):
    """A time with one cause; times in nanoseconds, as in `history`.

    :ivar pool: the place of the pool of `job` among those of the trace, from 0; -1 without a job.
    :ivar job: the id of the job that was waited for, or was under way; -1 if there is none.
    :ivar rank: where that job ran, which was waited for; -1 if there is none.
    """

    start: int
    end: int
    cause: Cause
    pool: int = -1
    job: int = -1
    rank: int = -1


#: A `Stretch`, where there are many that nobody may ever look at.
_Plain = tuple[int, int, Cause, int, int, int]
#: The pool, job and rank of a stretch without a job.
_NO_JOB = (-1, -1, -1)


def phases_of(pools: Sequence[PoolHistory], first: int, last: int) -> list[_Plain]:
    """What the idle ranks of some pools wait for, from `first` to `last`, without a gap."""
    made: list[_Plain] = []
    at = first
    for together in pools_at_once(pools, last):
        lists = [_phases_of_pool(pool, last) for pool in together]
        for phase in lists[0] if len(lists) == 1 else _merged(lists):
            start, end = phase[:2]
            if start > at:
                made.append((at, min(start, last), Cause.NO_POOL, *_NO_JOB))
                at = made[-1][1]
            if start == at < end <= last:
                made.append(phase)
                at = end
            elif (end := min(end, last)) > at:
                made.append((at, end, *phase[2:]))
                at = end
    if last > at:
        made.append((at, last, Cause.NO_POOL, *_NO_JOB))
    return made


#: Order of precedence of causes, for a rank that is in several open pools: the most informative first.
_FIRST = (Cause.MAIN, Cause.NOT_READY, Cause.NOT_QUEUED, Cause.TAIL, Cause.UNTOLD)


def _merged(lists: Sequence[Sequence[_Plain]]) -> list[_Plain]:
    """Merge the phases of pools that were open at the same time into one list."""
    times = sorted({t for phases in lists for phase in phases for t in phase[:2]})
    at = [0] * len(lists)
    made: list[_Plain] = []
    for start, end in pairwise(times):
        here = []
        for number, phases in enumerate(lists):
            while at[number] < len(phases) and phases[at[number]][1] <= start:
                at[number] += 1
            if at[number] < len(phases) and phases[at[number]][0] <= start:
                here.append(phases[at[number]])
        best = min(here, key=lambda phase: (_FIRST.index(phase[2]), phase[1]), default=(0, 0, Cause.NO_POOL, *_NO_JOB))
        made.append((start, end, *best[2:]))
    return made


def _phases_of_pool(pool: PoolHistory, last: int) -> list[_Plain]:
    """What the idle ranks of one pool wait for while it is open."""
    end = pool.end(last)
    if pool.announced and pool.ranks > 1:
        return [(pool.opened, end, Cause.UNTOLD, *_NO_JOB)] if end > pool.opened else []
    made: list[_Plain] = []
    at = until = pool.opened
    for ready, sent, id in _ready_spans(pool, end):
        if ready > until:  # else ready at once, or one as soon as the other is sent
            if until > at:
                made.append((at, until, _MAIN, *_NO_JOB))
                at = until
            made += _until_ready(pool, at, ready, pool.jobs[id])
            at = ready
        if sent > until:
            until = sent
    if until > at:
        made.append((at, until, _MAIN, *_NO_JOB))
        at = until
    if end > at:
        made += _at_the_end(pool, at, end)
    return made


def _ready_spans(pool: PoolHistory, end: int) -> list[tuple[int, int, int]]:
    """Return the intervals in which jobs were ready and had not been sent, sorted: start, end, id."""
    made = []
    for job in pool.jobs.values():
        tries, until = job.tries, job.running
        if until is None:
            until = end if job.finished is None else job.finished
        for number, ready in enumerate(job.ready):
            sent = tries[number][1] if number < len(tries) else until
            made.append((ready, sent if sent > ready else ready, job.id))
    made.sort()
    return made


def _until_ready(pool: PoolHistory, start: int, end: int, following: JobHistory) -> list[_Plain]:
    """Why no job was ready from `start` to `end`, when the job `following` became ready."""
    for rank, _, lost in following.tries:
        if lost == end:  # it ran until then, and is tried again
            return [(start, end, _NOT_READY, pool.place, following.id, rank)]
    waited = _last_of([pool.jobs[id] for id in following.deps if id in pool.jobs], end)
    if waited is None or waited.finished is None or waited.finished <= start:
        return [(start, end, _NOT_QUEUED, *_NO_JOB)]
    made: list[_Plain] = [(start, waited.finished, _NOT_READY, pool.place, waited.id, waited.rank)]
    if waited.finished < end:
        made.append((waited.finished, end, _NOT_QUEUED, *_NO_JOB))
    return made


def _last_of(jobs: Iterable[JobHistory], end: int) -> JobHistory | None:
    """Return the job that ended last before or at `end`; of several that with the largest id."""
    found: JobHistory | None = None
    last = 0
    for job in jobs:
        ended = job.finished
        if ended is None or ended > end:
            continue
        if found is None or ended > last or (ended == last and job.id > found.id):
            found, last = job, ended
    return found


def _at_the_end(pool: PoolHistory, start: int, end: int) -> Iterator[_Plain]:
    """Why no job was ready from `start` to `end`, and none became ready any more."""
    if pool.ended is None:
        running = [job for job in pool.jobs.values() if job.running is not None and job.finished is None]
        if running:  # the trace stops: whatever was to come waited for these
            waits = any(job.finished is None and job.running is None for job in pool.jobs.values())
            longest = min(running, key=lambda job: (job.running, job.id))
            cause = Cause.NOT_READY if waits else Cause.TAIL
            yield start, end, cause, pool.place, longest.id, longest.rank
            return
    ran = (job for job in pool.jobs.values() if job.running is not None)
    waited = _last_of(ran, end)
    if waited is not None and waited.finished is not None and waited.finished > start:
        yield start, waited.finished, Cause.TAIL, pool.place, waited.id, waited.rank
        start = waited.finished
    if end > start:
        yield start, end, Cause.NOT_QUEUED if waited is None else Cause.TAIL, *_NO_JOB


class PhaseSums:
    """Sums phases over stretches of time, in logarithmic time for each stretch."""

    def __init__(self, phases: Sequence[_Plain]):
        self._phases = phases
        self._starts = [phase[0] for phase in phases]
        # For each phase: how many more ranks idled in all of it than in the last one; idle time of ranks in part of it.
        self._more = [0] * (len(phases) + 1)
        self._parts = [0] * len(phases)

    @cached_property
    def _sums(self) -> list[tuple[Cause, array[int]]]:
        """For each cause, nanoseconds up to the beginning of each phase."""
        causes = [phase[2] for phase in self._phases]
        took = [phase[1] - phase[0] for phase in self._phases]
        made = []
        for cause in dict.fromkeys(causes):
            of_cause = (ns if each is cause else 0 for each, ns in zip(causes, took, strict=True))
            made.append((cause, array("q", accumulate(of_cause, initial=0))))
        return made

    def add(self, start: int, end: int, by_cause: Counter[Cause], ranks: int = 1) -> None:
        """Add the idle time from `start` to `end` of so many `ranks` that are alike; to `by_cause`, that of one."""
        a, b = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1) - 1
        if a == b:
            by_cause[self._phases[a][2]] += end - start
            self._parts[a] += ranks * (end - start)
            return
        for place, part in ((a, self._phases[a][1] - start), (b, end - self._phases[b][0])):
            by_cause[self._phases[place][2]] += part
            self._parts[place] += ranks * part
        if b - a > 1:
            for cause, sums in self._sums:
                if ns := sums[b] - sums[a + 1]:
                    by_cause[cause] += ns
            self._more[a + 1] += ranks
            self._more[b] -= ranks

    def used(self, waits: Counter[tuple[int, int, int]]) -> list[Stretch]:
        """Return the phases in which a rank idled, and add to `waits`, for each job, how long ranks waited for it."""
        made = []
        for phase, ranks, part in zip(self._phases, accumulate(self._more), self._parts, strict=False):
            if ranks or part:
                used = Stretch(*phase)
                made.append(used)
                if used.job >= 0:
                    waits[used.pool, used.job, used.rank] += ranks * (used.end - used.start) + part
        return made
