"""Why ranks idled: a cause for each nanosecond in which a worker ran no job, and the job that it waited for.

Some causes concern a single rank: a message of its own was being sent, or it was lost. All others concern the pools of
the rank, and are the same for all their idle ranks at that time: no job was ready, main was busy, the pool was ending.
So there is one list of *phases* for all ranks with the same pools, and for each rank a list of its own *stretches*,
which take precedence. This keeps the result for many ranks and jobs as small as its trace.

It only uses `history`. The names of causes, and drawing them, belong to the code that shows them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate, pairwise
from typing import NamedTuple

from .history import History, JobHistory, PoolHistory, pools_at_once

__all__ = ["Cause", "Idle", "RankIdle", "Stretch", "Wait", "idle_times"]


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


class Wait(NamedTuple):
    """A job that ranks waited for.

    :ivar pool: the place of its pool.
    :ivar job: its id.
    :ivar rank: where it ran.
    :ivar idle: nanoseconds in which ranks idled until it had ended, over all ranks.
    """

    pool: int
    job: int
    rank: int
    idle: int


@dataclass(slots=True)
class RankIdle:
    """The idle time of one rank.

    :ivar group: index of its list of phases in `Idle.phases`.
    :ivar stretches: its own stretches, in order.
    :ivar by_cause: nanoseconds for each cause. Ranks without any event in the trace share both objects.
    """

    rank: int
    group: int
    stretches: list[Stretch] = field(default_factory=list)
    by_cause: Counter[Cause] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Nanoseconds of the whole run in which it ran no job."""
        return self.by_cause.total()


@dataclass(slots=True)
class Idle:
    """The idle time of a run.

    :ivar ranks: the workers, in order: all ranks but main, or main where it is alone.
    :ivar phases: for each group of ranks that are in the same pools what goes for those of them that idle and have no
        stretch of their own then, in order; there is none where no rank does so.
    :ivar waits: the jobs that were waited for, the longest first.
    """

    ranks: list[RankIdle]
    phases: list[list[Stretch]]
    waits: list[Wait]

    @property
    def by_cause(self) -> Counter[Cause]:
        """Nanoseconds, over all ranks, in the order in which the causes are defined."""
        total: Counter[Cause] = Counter()
        for cause in Cause:
            if ns := sum(rank.by_cause[cause] for rank in self.ranks):
                total[cause] = ns
        return total

    @property
    def total(self) -> int:
        """Nanoseconds in which workers ran no job."""
        return sum(rank.total for rank in self.ranks)


def idle_times(history: History) -> Idle:
    """Why each worker idled, from the opening of the first pool to the last event."""
    workers = range(1, history.ranks) if history.ranks > 1 else range(1)
    sizes = sorted({pool.ranks for pool in history.pools})
    # A rank is in the pools that have more ranks than its number.
    groups = [bisect_right(sizes, rank) for rank in workers]
    sums: list[_Sums] = []
    for place in range(len(sizes) + 1):
        wanted = place in groups
        pools = [pool for pool in history.pools if wanted and place < len(sizes) and pool.ranks >= sizes[place]]
        sums.append(_Sums(_phases(pools, history.first, history.last) if wanted else []))
    bars = _bars(history)
    told = [pool for pool in history.pools if any(there for _, _, there in pool.presence)]
    presence = _presence(told, history.last)
    seen = bars.keys() | presence.keys()
    # Ranks of a group without any event in the trace are alike: their number, and the first of them.
    unseen = Counter(group for rank, group in zip(workers, groups, strict=True) if rank not in seen)
    alike: dict[int, RankIdle] = {}
    ranks = []
    for rank, group in zip(workers, groups, strict=True):
        count = 1 if rank in seen else unseen[group]
        if rank not in seen and group in alike:
            ranks.append(RankIdle(rank, group, alike[group].stretches, alike[group].by_cause))
            continue
        idle = RankIdle(rank, group)
        absences = _absences(told, rank, presence.get(rank, ()), history.last)
        for stretch in _of_rank(bars.get(rank, ()), absences, history.first, history.last):
            if stretch.cause is _REST:
                sums[group].add(stretch.start, stretch.end, idle.by_cause, count)
            elif stretch.end > stretch.start:
                idle.stretches.append(stretch)
                idle.by_cause[stretch.cause] += stretch.end - stretch.start
        if rank not in seen:
            alike[group] = idle
        ranks.append(idle)
    waits: Counter[tuple[int, int, int]] = Counter()
    for each in sums:
        each.count(waits)
    longest = sorted(waits.items(), key=lambda item: (-item[1], item[0]))
    return Idle(ranks, [each.used() for each in sums], [Wait(*job, ns) for job, ns in longest])


# -- what goes for all ranks of some pools -----------------------------------------------------------------


def _phases(pools: Sequence[PoolHistory], first: int, last: int) -> list[Stretch]:
    """What the idle ranks of some pools wait for, from `first` to `last`, without a gap."""
    made: list[Stretch] = []
    at = first
    for together in pools_at_once(pools, last):
        lists = [_phases_of_pool(pool, last) for pool in together]
        for phase in lists[0] if len(lists) == 1 else _merged(lists):
            end = min(phase.end, last)
            if phase.start > at:
                made.append(Stretch(at, min(phase.start, last), Cause.NO_POOL))
                at = made[-1].end
            if end > at:
                made.append(phase._replace(start=at, end=end))
                at = end
    if last > at:
        made.append(Stretch(at, last, Cause.NO_POOL))
    return made


#: Order of precedence of causes, for a rank that is in several open pools: the most informative first.
_FIRST = (Cause.MAIN, Cause.NOT_READY, Cause.NOT_QUEUED, Cause.TAIL, Cause.UNTOLD)


def _merged(lists: Sequence[Sequence[Stretch]]) -> list[Stretch]:
    """Merge the phases of pools that were open at the same time into one list."""
    times = sorted({t for phases in lists for phase in phases for t in (phase.start, phase.end)})
    at = [0] * len(lists)
    made: list[Stretch] = []
    for start, end in pairwise(times):
        here = []
        for number, phases in enumerate(lists):
            while at[number] < len(phases) and phases[at[number]].end <= start:
                at[number] += 1
            if at[number] < len(phases) and phases[at[number]].start <= start:
                here.append(phases[at[number]])
        best = min(here, key=lambda phase: (_FIRST.index(phase.cause), phase.end), default=Stretch(0, 0, Cause.NO_POOL))
        made.append(best._replace(start=start, end=end))
    return made


def _phases_of_pool(pool: PoolHistory, last: int) -> list[Stretch]:
    """What the idle ranks of one pool wait for while it is open."""
    end = pool.end(last)
    if pool.announced and pool.ranks > 1:
        return [Stretch(pool.opened, end, Cause.UNTOLD)] if end > pool.opened else []
    spans = [span for job in pool.jobs.values() for span in _ready_spans(job, end)]
    made: list[Stretch] = []
    at = pool.opened
    spans.sort()
    place = 0
    while place < len(spans):
        start, until, id = spans[place]
        if start > at:
            made += _until_ready(pool, at, start, pool.jobs[id])
            at = start
        while place < len(spans) and spans[place][0] <= until:  # ready at once, or one as soon as the other is sent
            until = max(until, spans[place][1])
            place += 1
        if until > at:
            made.append(Stretch(at, until, Cause.MAIN))
            at = until
    if end > at:
        made += _at_the_end(pool, at, end)
    return made


def _ready_spans(job: JobHistory, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the intervals in which a job was ready and had not been sent: start, end, id."""
    for number, ready in enumerate(job.ready):
        if number < len(job.tries):
            until = job.tries[number][1]
        elif job.running is not None:
            until = job.running
        else:
            until = end if job.finished is None else job.finished
        yield ready, max(ready, until), job.id


def _until_ready(pool: PoolHistory, start: int, end: int, following: JobHistory) -> Iterator[Stretch]:
    """Why no job was ready from `start` to `end`, when the job `following` became ready."""
    for rank, _, lost in following.tries:
        if lost == end:  # it ran until then, and is tried again
            yield Stretch(start, end, Cause.NOT_READY, pool.place, following.id, rank)
            return
    waited = _last_of((pool.jobs[id] for id in following.deps if id in pool.jobs), end)
    if waited is None or waited.finished is None or waited.finished <= start:
        yield Stretch(start, end, Cause.NOT_QUEUED)
        return
    yield Stretch(start, waited.finished, Cause.NOT_READY, pool.place, waited.id, waited.rank)
    if waited.finished < end:
        yield Stretch(waited.finished, end, Cause.NOT_QUEUED)


def _last_of(jobs: Iterable[JobHistory], end: int) -> JobHistory | None:
    """Return the job that ended last before or at `end`."""
    return max(
        (job for job in jobs if job.finished is not None and job.finished <= end),
        key=lambda job: (job.finished, job.id),
        default=None,
    )


def _at_the_end(pool: PoolHistory, start: int, end: int) -> Iterator[Stretch]:
    """Why no job was ready from `start` to `end`, and none became ready any more."""
    if pool.ended is None:
        running = [job for job in pool.jobs.values() if job.running is not None and job.finished is None]
        if running:  # the trace stops: whatever was to come waited for these
            waits = any(job.finished is None and job.running is None for job in pool.jobs.values())
            longest = min(running, key=lambda job: (job.running, job.id))
            cause = Cause.NOT_READY if waits else Cause.TAIL
            yield Stretch(start, end, cause, pool.place, longest.id, longest.rank)
            return
    ran = (job for job in pool.jobs.values() if job.running is not None)
    waited = _last_of(ran, end)
    if waited is not None and waited.finished is not None and waited.finished > start:
        yield Stretch(start, waited.finished, Cause.TAIL, pool.place, waited.id, waited.rank)
        start = waited.finished
    if end > start:
        yield Stretch(start, end, Cause.NOT_QUEUED if waited is None else Cause.TAIL)


# -- what goes for one rank --------------------------------------------------------------------------------


class _Bar(NamedTuple):
    """A run of a job on a rank.

    :ivar sent: when main sent it, or, if it was sent ahead, heard that it had started.
    :ivar heard: when main heard of its end.
    """

    start: int
    end: int
    sent: int
    heard: int
    pool: int
    job: int


def _bars(history: History) -> dict[int, list[_Bar]]:
    """Return the runs of jobs on each rank, sorted by start."""
    made: dict[int, list[_Bar]] = {}
    for pool in history.pools:
        for job in pool.jobs.values():
            for rank, sent, lost in job.tries:
                made.setdefault(rank, []).append(_Bar(sent, lost, sent, lost, pool.place, job.id))
            interval = job.interval(history.last)
            if interval is not None and job.running is not None:
                heard = interval[1] if job.outcome is None else job.outcome[2]
                bar = _Bar(*interval, job.running, heard, pool.place, job.id)
                made.setdefault(job.rank, []).append(bar)
    for bars in made.values():
        bars.sort()
    return made


#: A change of a rank's presence in a pool: time, order among changes of the same time, place of the pool, kind.
_Change = tuple[int, int, int, str]


def _presence(pools: Sequence[PoolHistory], last: int) -> dict[int, list[_Change]]:
    """Return, for each rank, when it joined one of these pools or was lost there."""
    made: dict[int, list[_Change]] = {}
    for pool in pools:
        end = pool.end(last)
        for t, rank, there in pool.presence:
            if t <= end:
                made.setdefault(rank, []).append((t, 1, pool.place, "there" if there else "lost"))
    return made


def _absences(pools: Sequence[PoolHistory], rank: int, presence: Sequence[_Change], last: int) -> list[Stretch]:
    """When a worker was in none of these pools, though some were open that have room for it.

    :param presence: when it came to them, and was lost.
    """
    changes = [*presence]
    for pool in pools:
        if rank < pool.ranks:
            changes.append((pool.opened, 0, pool.place, "opened"))
            changes.append((pool.end(last), 2, pool.place, "ended"))
    return [*_absences_of(sorted(changes), last)]


def _absences_of(changes: Sequence[_Change], last: int) -> Iterator[Stretch]:
    """Yield the times at which one rank was absent or lost, from its changes."""
    opened: set[int] = set()
    there: set[int] = set()
    gone = False
    since = 0
    for t, _, pool, what in [*changes, (last, 3, -1, "over")]:
        if opened and not there and t > since:
            yield Stretch(since, t, Cause.LOST if gone else Cause.ABSENT)
        since = t
        if what == "opened":
            opened.add(pool)
        elif what == "there":
            there.add(pool)
            gone = False
        elif what == "lost":
            there.discard(pool)
            gone = True
        elif what == "ended":
            opened.discard(pool)
            there.discard(pool)


#: Placeholder for the cause of a stretch, which the phases tell.
_REST = Cause.NO_POOL


def _of_rank(bars: Sequence[_Bar], absences: Sequence[Stretch], first: int, last: int) -> Iterator[Stretch]:
    """Yield the idle time of a rank in order: its own stretches, and the rest (`_REST`), which the phases explain."""
    place = 0  # of the next absence
    before: _Bar | None = None
    at = first
    for bar in [*bars, None]:
        start = last if bar is None else min(bar.start, last)
        if start > at:
            parts = list(_between(before, bar, at, start))
            for part in parts:
                if part.cause is not _REST:
                    yield part
                    continue
                here = part.start
                while place < len(absences) and absences[place].end <= here:
                    place += 1
                look = place
                while look < len(absences) and absences[look].start < part.end:
                    gone = absences[look]
                    if gone.start > here:
                        yield Stretch(here, gone.start, _REST)
                    here = max(here, gone.start)
                    yield gone._replace(start=here, end=min(gone.end, part.end))
                    here = min(gone.end, part.end)
                    look += 1
                if part.end > here:
                    yield Stretch(here, part.end, _REST)
        if bar is not None and bar.end >= at:
            before, at = bar, max(at, min(bar.end, last))


def _between(before: _Bar | None, after: _Bar | None, start: int, end: int) -> Iterator[Stretch]:
    """Yield the stretches between two runs on a rank: messages under way, and the rest."""
    if after is not None and before is not None and _was_ahead(before, after, end):
        yield Stretch(start, end, Cause.BETWEEN, after.pool, after.job)
        return
    if before is not None and before.heard > start:
        heard = min(before.heard, end)
        yield Stretch(start, heard, Cause.MESSAGE, before.pool, before.job)
        start = heard
    sent = end if after is None else max(start, min(after.sent, end))
    if sent > start:
        yield Stretch(start, sent, _REST)
    if end > sent and after is not None:
        yield Stretch(sent, end, Cause.MESSAGE, after.pool, after.job)


def _was_ahead(before: _Bar, after: _Bar, end: int) -> bool:
    """Whether a rank had its next job before main learned that the last one had ended."""
    return before.pool == after.pool and (after.sent > end or after.sent < before.heard)


# -- sums --------------------------------------------------------------------------------------------------


class _Sums:
    """Sums phases over stretches of time, in logarithmic time for each stretch."""

    def __init__(self, phases: Sequence[Stretch]):
        self._phases = phases
        self._starts = [phase.start for phase in phases]
        causes = dict.fromkeys(phase.cause for phase in phases)
        self._sums = {
            cause: [0, *accumulate(phase.end - phase.start if phase.cause is cause else 0 for phase in phases)]
            for cause in causes
        }
        # For each phase: how many more ranks idled in all of it than in the last one; idle time of ranks in part of it.
        self._more = [0] * (len(phases) + 1)
        self._parts = [0] * len(phases)

    def add(self, start: int, end: int, by_cause: Counter[Cause], ranks: int = 1) -> None:
        """Add the idle time from `start` to `end` of `count` ranks that are alike."""
        a, b = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1) - 1
        if a == b:
            by_cause[self._phases[a].cause] += end - start
            self._parts[a] += ranks * (end - start)
            return
        for place, part in ((a, self._phases[a].end - start), (b, end - self._phases[b].start)):
            by_cause[self._phases[place].cause] += part
            self._parts[place] += ranks * part
        if b - a > 1:
            for cause, sums in self._sums.items():
                if ns := sums[b] - sums[a + 1]:
                    by_cause[cause] += ns
            self._more[a + 1] += ranks
            self._more[b] -= ranks

    def _idled(self) -> Iterator[tuple[Stretch, int]]:
        """Yield each phase with the idle time in it, in nanoseconds, summed over ranks."""
        for phase, ranks, part in zip(self._phases, accumulate(self._more), self._parts, strict=False):
            yield phase, ranks * (phase.end - phase.start) + part

    def used(self) -> list[Stretch]:
        """Return the phases in which a rank idled."""
        return [phase for phase, ns in self._idled() if ns]

    def count(self, waits: Counter[tuple[int, int, int]]) -> None:
        """Add, for each job, how long ranks waited for it."""
        for phase, ns in self._idled():
            if ns and phase.job >= 0:
                waits[phase.pool, phase.job, phase.rank] += ns
