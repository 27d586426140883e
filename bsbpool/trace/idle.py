"""Why ranks idled: a cause for each nanosecond in which a worker ran no job, and the job that it waited for.

Some causes concern a single rank: a message of its own was being sent, or it was lost. All others concern the pools of
the rank, and are the same for all their idle ranks at that time: no job was ready, main was busy, the pool was ending.
So there is one list of *phases* for all ranks with the same pools, and for each rank a list of its own *stretches*,
which take precedence. This keeps the result for many ranks and jobs as small as its trace.

It only uses `history`. The names of causes, and drawing them, belong to the code that shows them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from .history import History, PoolHistory
from .idle_phases import Cause, PhaseSums, Stretch, phases_of

__all__ = ["Cause", "Idle", "RankIdle", "Stretch", "Wait", "idle_times"]

_MESSAGE, _BETWEEN = Cause.MESSAGE, Cause.BETWEEN  # see `idle_phases`


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


#: A run of a job on a rank: its start, its end, when main sent it or, if it was sent ahead, heard that it had started,
#: when main heard of its end, the place of its pool, and its id.
_Run = tuple[int, int, int, int, int, int]


@dataclass(slots=True)
class RankIdle:
    """The idle time of one rank.

    :ivar group: index of its list of phases in `Idle.phases`.
    :ivar gone: those of its own stretches in which it was absent or lost, in order.
    :ivar by_cause: nanoseconds for each cause. Ranks without any event in the trace share both objects.
    :ivar runs: what it ran, in order, from the first to the second time of `span`.
    """

    rank: int
    group: int
    gone: list[Stretch]
    by_cause: Counter[Cause]
    runs: Sequence[_Run]
    span: tuple[int, int]

    @property
    def stretches(self) -> list[Stretch]:
        """Its own stretches, in order. Those of messages are made here: there are two for each job."""
        if not self.runs:
            return self.gone
        messages = [
            Stretch(start, end, cause, *job) for start, end, cause, *job in _gaps(self.runs, *self.span) if cause
        ]
        return sorted([*self.gone, *messages], key=attrgetter("start"))

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
    sums: list[PhaseSums] = []
    for place in range(len(sizes) + 1):
        wanted = place in groups
        pools = [pool for pool in history.pools if wanted and place < len(sizes) and pool.ranks >= sizes[place]]
        sums.append(PhaseSums(phases_of(pools, history.first, history.last) if wanted else []))
    runs = _runs(history)
    told = [pool for pool in history.pools if any(there for _, _, there in pool.presence)]
    presence = _presence(told, history.last)
    seen = runs.keys() | presence.keys()
    # Ranks of a group without any event in the trace are alike: their number, and the first of them.
    unseen = Counter(group for rank, group in zip(workers, groups, strict=True) if rank not in seen)
    alike: dict[int, RankIdle] = {}
    ranks = []
    for rank, group in zip(workers, groups, strict=True):
        if rank not in seen and group in alike:
            ranks.append(replace(alike[group], rank=rank))
            continue
        idle = RankIdle(rank, group, [], Counter(), runs.get(rank, ()), (history.first, history.last))
        absences = _absences(told, rank, presence.get(rank, ()), history.last)
        _sum_up(idle, absences, sums[group], 1 if rank in seen else unseen[group])
        if rank not in seen:
            alike[group] = idle
        ranks.append(idle)
    waits: Counter[tuple[int, int, int]] = Counter()
    phases = [each.used(waits) for each in sums]
    longest = sorted(waits.items(), key=lambda item: (-item[1], item[0]))
    return Idle(ranks, phases, [Wait(*job, ns) for job, ns in longest])


# -- what goes for one rank --------------------------------------------------------------------------------


def _runs(history: History) -> dict[int, list[_Run]]:
    """Return the runs of jobs on each rank, sorted by start."""
    last = history.last
    made: defaultdict[int, list[_Run]] = defaultdict(list)
    for pool in history.pools:
        place = pool.place
        for job in pool.jobs.values():
            for rank, sent, lost in job.tries:
                made[rank].append((sent, lost, sent, lost, place, job.id))
            interval = job.interval(last)
            if interval is not None and job.running is not None:
                start, end = interval
                heard = end if job.outcome is None else job.outcome[2]
                made[job.rank].append((start, end, job.running, heard, place, job.id))
    for runs in made.values():
        runs.sort()
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


#: A time between runs of a rank: its start, its end, the cause, and the place of the pool and the id of the job whose
#: message was under way; or no cause: the phases tell it.
_Gap = tuple[int, int, Cause | None, int, int]


def _gaps(runs: Sequence[_Run], first: int, last: int) -> Iterator[_Gap]:
    """Yield the idle time of a rank, in order, as if it were in its pools all the time."""
    at = heard = first
    before, before_pool = -1, -2
    for start, end, sent, run_heard, pool, job in chain(runs, [(last, last, last, last, -1, -1)]):
        until = start if start < last else last
        if until > at:
            if pool == before_pool and (sent > until or sent < heard):
                yield at, until, _BETWEEN, pool, job
            else:
                here = at
                if heard > here:
                    here = heard if heard < until else until
                    yield at, here, _MESSAGE, before_pool, before
                if here < sent < until:
                    yield here, sent, None, -1, -1
                    here = sent
                if here < until:
                    yield (here, until, None, -1, -1) if sent >= until else (here, until, _MESSAGE, pool, job)
        if end >= at:
            before, before_pool, heard = job, pool, run_heard
            if end > at:
                at = end if end < last else last


def _sum_up(idle: RankIdle, absences: Sequence[Stretch], sums: PhaseSums, ranks: int) -> None:
    """Sum up the idle time of a rank; and that of the phases in it, for as many ranks that are alike.

    :param absences: when it was not in its pools; only the rest of what is between its runs goes to the phases.
    """
    by_cause, add = idle.by_cause, sums.add
    messages = between = place = 0
    for start, end, cause, _, _ in _gaps(idle.runs, *idle.span):
        if cause is _MESSAGE:
            messages += end - start
            continue
        if cause is _BETWEEN:
            between += end - start
            continue
        here = start
        while place < len(absences) and absences[place].end <= here:
            place += 1
        look = place
        while look < len(absences) and (gone := absences[look]).start < end:
            look += 1
            if gone.start > here:
                add(here, gone.start, by_cause, ranks)
            here = max(here, gone.start)
            until = min(gone.end, end)
            if until > here:
                idle.gone.append(gone._replace(start=here, end=until))
                by_cause[gone.cause] += until - here
            here = until
        if end > here:
            add(here, end, by_cause, ranks)
    for cause, ns in ((_MESSAGE, messages), (_BETWEEN, between)):
        if ns:
            by_cause[cause] = ns
