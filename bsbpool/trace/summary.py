"""Summary of a trace: jobs per strategy, work per rank, makespan, critical path, failures.

It only uses the events of `format`, so that real and simulated runs are summarised in the same way. Drawing, and the
interpretation of numbers, do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..facts import Error
from .events import Event, TracedError
from .format import Trace
from .history import History, PoolHistory

__all__ = ["JobFailure", "PoolSummary", "RankSummary", "Run", "StrategySummary", "Summary", "summarise", "totals"]

_SECOND = 1e9


@dataclass(frozen=True, slots=True)
class Run:
    """A job on a rank.

    :ivar pool: the place of its pool among those of the trace, from 0.
    :ivar job: its id in its pool.
    :ivar name: its strategy: the name of who submitted it.
    :ivar started: seconds since the trace's first pool was opened, on main's clock.
    :ivar ended: likewise; where the trace stops, if it had not ended there.
    :ivar status: what became of it; ``"running"`` if the trace stops before; ``"aborted"`` of a run that was lost with
        its rank, also if the job was then tried again.
    :ivar cut: whether it did not come to an end of its own: its rank was lost, its pool stopped, or the trace does.
    """

    pool: int
    job: int
    name: str
    rank: int
    started: float
    ended: float
    status: str
    cut: bool = False

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return self.ended - self.started


@dataclass(slots=True)
class StrategySummary:
    """The jobs of one name, of all pools.

    :ivar jobs: how many were queued; the five that follow say what became of them.
    :ivar unfinished: those that had not ended where the trace stops.
    :ivar ran: how many ran, to whatever end.
    :ivar cut: how many of these were cut off: their rank was lost, their pool stopped, or the trace does. What they
        took is in none of the next two, since nobody knows what they would have taken.
    :ivar total: seconds that the others ran, all together.
    :ivar longest: seconds that the longest of these ran.
    """

    name: str
    jobs: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    aborted: int = 0
    unfinished: int = 0
    ran: int = 0
    total: float = 0.0
    longest: float = 0.0
    cut: int = 0

    @property
    def timed(self) -> int:
        """How many ran to an end of their own, so that it is known what they take."""
        return self.ran - self.cut

    @property
    def mean(self) -> float:
        """Seconds that one of those ran, on average."""
        return self.total / self.timed if self.timed else 0.0


@dataclass(slots=True)
class RankSummary:
    """The work of one rank.

    :ivar jobs: how many jobs ran there.
    :ivar busy: seconds in which it ran jobs.
    :ivar utilisation: the share of the makespan in which it ran jobs, from 0 to 1.
    """

    rank: int
    jobs: int = 0
    busy: float = 0.0
    utilisation: float = 0.0


@dataclass(frozen=True, slots=True)
class PoolSummary:
    """One pool.

    :ivar pool: its id.
    :ivar started: seconds since the trace's first pool was opened.
    :ivar ended: when `execute` ended on main; None if the trace stops before.
    :ivar jobs: how many jobs it had.
    :ivar critical_path: seconds of the longest chain of dependent jobs that ran.
    :ivar error: what `execute` raised.
    :ivar path: the ids of the jobs of that chain, first to last.
    :ivar announced: whether it is BSB's own, which announces no dependencies, and on several ranks no job that runs.
    """

    pool: Any
    started: float
    ended: float | None
    jobs: int
    critical_path: float
    error: Error | None
    path: tuple[int, ...] = ()
    announced: bool = False


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A job that failed, or was lost with its rank.

    :ivar rank: where it ran; 0 if it did not; None if that is not known.
    :ivar at: seconds since the trace's first pool was opened.
    :ivar error: what it raised; its text is the type and message.
    :ivar context: what was said about the job when it was queued.
    :ivar raised: where it was raised: see `bsbpool.trace.history.JobHistory`.
    """

    pool: int
    job: int
    name: str
    rank: int | None
    at: float
    error: Error | None
    context: Mapping[str, Any]
    raised: Sequence[TracedError] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of a trace.

    :ivar ranks: how many ranks the largest pool had.
    :ivar makespan: seconds from the opening of the first pool to the trace's last event.
    :ivar strategies: in the order in which they first queued a job.
    :ivar by_rank: all ranks, main first.
    :ivar runs: jobs that ran, in the order in which pools, then jobs, were queued.
    :ivar complete: whether each pool came to its end; else the trace was cut off, and the run would have taken longer.
    """

    ranks: int
    makespan: float
    pools: tuple[PoolSummary, ...]
    strategies: tuple[StrategySummary, ...]
    by_rank: tuple[RankSummary, ...]
    failures: tuple[JobFailure, ...]
    runs: tuple[Run, ...] = field(repr=False)
    complete: bool = True

    @property
    def critical_path(self) -> float:
        """Seconds of the critical paths of all pools: however many ranks there are, it takes no less."""
        return _exactly(sum(pool.critical_path for pool in self.pools))

    @property
    def workers(self) -> tuple[RankSummary, ...]:
        """The ranks that are there to run jobs: all but main, or main where it is alone."""
        return self.by_rank if self.ranks == 1 else self.by_rank[1:]

    @property
    def lanes(self) -> tuple[RankSummary, ...]:
        """The ranks that there is something to draw of: the workers, and main if jobs ran there."""
        ran_on_main = self.ranks == 1 or any(run.rank == 0 for run in self.runs)
        return self.by_rank if ran_on_main else self.by_rank[1:]

    @property
    def jobs(self) -> int:
        """How many jobs were queued."""
        return sum(strategy.jobs for strategy in self.strategies)

    @property
    def ran(self) -> int:
        """How many jobs ran."""
        return sum(strategy.ran for strategy in self.strategies)

    @property
    def cut(self) -> int:
        """How many of these were cut off, so that it is not known what they take."""
        return sum(strategy.cut for strategy in self.strategies)

    @property
    def total(self) -> float:
        """Seconds that the others ran, all together."""
        return _exactly(sum(strategy.total for strategy in self.strategies))

    @property
    def busy(self) -> float:
        """Seconds that jobs ran, on all ranks together."""
        return _exactly(sum(rank.busy for rank in self.by_rank))

    @property
    def utilisation(self) -> float:
        """The share of the workers' time in which they ran jobs, from 0 to 1."""
        there = len(self.workers) * self.makespan
        return self.busy / there if there else 0.0

    @property
    def outcome(self) -> dict[str, int]:
        """How many jobs ended how: succeeded, failed, cancelled, aborted, unfinished; without the zeros."""
        kinds = ("succeeded", "failed", "cancelled", "aborted", "unfinished")
        counts = {kind: sum(getattr(strategy, kind) for strategy in self.strategies) for kind in kinds}
        return {kind: count for kind, count in counts.items() if count}


def summarise(trace: History | Trace | Iterable[Event]) -> Summary:
    """Sum up a trace: a `Trace`, its events, or its history.

    A job's time is what its rank measured, if main received that; else it lasts from ``running`` to its end. One that
    was cut off keeps its rank busy up to there, and does not count where it is told what jobs take.
    """
    history = trace if isinstance(trace, History) else History(trace)
    return replace(totals(history), runs=tuple(_runs(history)))


def totals(history: History) -> Summary:
    """The summary of a history without its `runs`, of which there may be a million."""
    ranks, first, last = history.ranks, history.first, history.last
    makespan = (last - first) / _SECOND
    strategies: dict[str, StrategySummary] = {}
    by_rank = [RankSummary(rank) for rank in range(ranks)]
    worked: dict[str, int] = {}
    busy = [0] * ranks
    failures: list[JobFailure] = []
    summaries = []
    for number, pool in enumerate(history.pools):
        chains: dict[int, int] = {}
        longest = (0, -1)
        for id, job in pool.jobs.items():
            strategy = strategies.get(job.name)
            if strategy is None:
                strategy = strategies[job.name] = StrategySummary(job.name)
            _count(strategy, job.status)
            for where, sent, lost in job.tries:
                busy[where] += lost - sent
            interval = job.interval(last)
            took = 0
            if interval is not None:
                took = interval[1] - interval[0]
                strategy.ran += 1
                by_rank[job.rank].jobs += 1
                if job.cut:
                    strategy.cut += 1
                else:
                    if (seconds := took / _SECOND) > strategy.longest:
                        strategy.longest = seconds
                    worked[job.name] = worked.get(job.name, 0) + took
                busy[job.rank] += took
            before = 0
            for dep in job.deps:
                if (chain := chains.get(dep, 0)) > before:
                    before = chain
            chains[id] = chain = before + took
            if chain > longest[0]:
                longest = chain, id
            if job.failed:
                at = ((last if job.finished is None else job.finished) - first) / _SECOND
                place = None if pool.announced and job.running is None else job.rank
                failures.append(JobFailure(number, id, job.name, place, at, job.error, job.context, job.raised))
        end = None if pool.ended is None else (pool.ended - first) / _SECOND
        opened = (pool.opened - first) / _SECOND
        path = _path(pool, chains, longest[1])
        seconds = longest[0] / _SECOND
        summaries.append(PoolSummary(pool.id, opened, end, len(pool.jobs), seconds, pool.error, path, pool.announced))
    for name, ns in worked.items():
        strategies[name].total = ns / _SECOND
    for rank, ns in zip(by_rank, busy, strict=True):
        rank.busy = ns / _SECOND
        rank.utilisation = rank.busy / makespan if makespan else 0.0
    failures.sort(key=lambda failure: failure.at)
    return Summary(
        ranks=ranks,
        makespan=makespan,
        pools=tuple(summaries),
        strategies=tuple(strategies.values()),
        by_rank=tuple(by_rank),
        failures=tuple(failures),
        runs=(),
        complete=all(pool.ended is not None for pool in history.pools),
    )


def _runs(history: History) -> Iterator[Run]:
    """Yield each run of a job, in the order of `Summary.runs`."""
    first, last = history.first, history.last
    for number, pool in enumerate(history.pools):
        for id, job in pool.jobs.items():
            for where, sent, lost in job.tries:
                span = (sent - first) / _SECOND, (lost - first) / _SECOND
                yield Run(number, id, job.name, where, *span, "aborted", True)
            interval = job.interval(last)
            if interval is not None:
                started, ended = ((t - first) / _SECOND for t in interval)
                yield Run(number, id, job.name, job.rank, started, ended, job.status, job.cut)


def _path(pool: PoolHistory, chains: Mapping[int, int], last: int) -> tuple[int, ...]:
    """The jobs that ran of the longest chain that ends with a job; empty if there is none (-1)."""
    path: list[int] = []
    while last >= 0:
        if pool.jobs[last].running is not None:  # one whose end was set by hand takes no time
            path.append(last)
        before = max(pool.jobs[last].deps, key=lambda dep: chains.get(dep, 0), default=-1)
        last = before if chains.get(before, 0) else -1
    return tuple(reversed(path))


def _count(strategy: StrategySummary, status: str) -> None:
    strategy.jobs += 1
    if status == "success":
        strategy.succeeded += 1
    elif status == "failed":
        strategy.failed += 1
    elif status == "cancelled":
        strategy.cancelled += 1
    elif status == "aborted":
        strategy.aborted += 1
    else:
        strategy.unfinished += 1


def _exactly(seconds: float) -> float:
    """A sum of whole nanoseconds, without what floating point added to it."""
    return round(seconds, 9)
