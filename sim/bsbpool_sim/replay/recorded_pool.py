"""The data of each pool of a trace that a replay needs in advance."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bsbpool.facts import Error, JobFailed, LeftRank, NotScheduled, Overdue, Raised
from bsbpool.trace.events import JobsReturned, JobStatusChanged, OutcomeReceived, PoolEvent

from .ending import ReplayError


@dataclass
class Recorded:
    """What a trace says of a pool, as far as it has to be known ahead.

    :ivar in_turn: whether schedulers and jobs take turns, as they do on one rank; before 0.2 they did not.
    :ivar idle_first: whether idle ranks get what becomes ready at once; before 0.2 they did not always.
    :ivar outs: by rank, what came from it and has to do with its jobs, in order.
    :ivar cached: by rank and job (None: before the first), what it took into its cache.
    :ivar failed: what jobs raised.
    :ivar overdue: of jobs that were past their limits: what their errors say.
    :ivar hosts: by rank: its host, as far as errors have it.
    :ivar unpacked: what was raised when jobs' calls were packed.
    :ivar unhandled: jobs whose errors no listener handled.
    :ivar told: descriptions of jobs, as far as errors have them.
    :ivar skipped: ranks that did not execute the pool, with what they raised.
    :ivar blocked: nodes that were not scheduled since they depend on another one, and that.
    :ivar deaths: when main learned that ranks were gone, in nanoseconds since the trace began.
    :ivar ended: whether the trace has its end.
    """

    number: int
    label: int | str
    ranks: int
    fail_fast: bool
    phases: list[str]
    ahead: bool = True
    in_turn: bool = False
    idle_first: bool = False
    retries: int = 0
    overdue: dict[int, Overdue] = field(default_factory=dict)
    hosts: dict[int, str] = field(default_factory=dict)
    outs: dict[int, deque[OutcomeReceived | JobsReturned]] = field(default_factory=dict)
    cached: dict[tuple[int, int | None], Sequence[int]] = field(default_factory=dict)
    failed: dict[int, Error] = field(default_factory=dict)
    unpacked: dict[int, Error] = field(default_factory=dict)
    unhandled: set[int] = field(default_factory=set)
    told: dict[int, str] = field(default_factory=dict)
    skipped: dict[int, Error | None] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    deaths: dict[int, int] = field(default_factory=dict)
    ended: bool = False


def recorded_pools(events: Sequence[PoolEvent]) -> list[Recorded]:
    """The pools of a trace.

    :raises ReplayError: there is none, one is BSB's own, or some were open at the same time.
    """
    pools: dict[int | str, Recorded] = {}
    last: Recorded | None = None
    reading: dict[int | str, _Reading] = {}
    for event in events:
        if event.e == "pool":
            if last is not None and not last.ended:
                raise ReplayError(
                    f"pool {event.pool!r} was opened before pool {last.label!r} ended: pools that are open at the same "
                    "time can't be replayed"
                )
            last = Recorded(len(pools), event.pool, event.ranks, event.fail_fast, [*event.phases])
            pools[event.pool] = last
            reading[event.pool] = _Reading(last, events[0].t)
            continue
        if event.e == "announced":
            raise ReplayError(
                f"pool {event.pool!r} is BSB's own, which does not announce what its jobs depend on: only runs with "
                "the pool of bsbpool can be replayed"
            )
        reading[event.pool].take(event)
    if not pools:
        raise ReplayError("the trace has no pool, so there is nothing to replay")
    return list(pools.values())


class _Reading:
    """Gathers what a trace says of one pool, event by event."""

    def __init__(self, pool: Recorded, began: int):
        self._pool = pool
        self._began = began
        self._ready: set[int] = set()
        #: jobs whose ends were told, by their rank or by hand.
        self._came: set[int] = set()

    def take(self, event: PoolEvent) -> None:
        """The next event of the pool."""
        pool = self._pool
        if event.e in ("message", "returned"):
            if event.e == "message":
                self._came.add(event.job)
            pool.outs.setdefault(event.rank, deque()).append(event)
        elif event.e == "status":
            self._take_status(event)
        elif event.e == "by_hand":
            self._came.add(event.job)
        elif event.e == "retries":
            pool.retries = event.times
        elif event.e == "cached":
            pool.cached[event.rank, event.job] = event.items
        elif event.e == "freed":
            if event.rank == 0 and event.job is None and pool.ranks > 1:
                # What main took in by itself, with jobs that it ran by hand: nobody told when.
                pool.cached[0, None] = event.items
        elif event.e == "ready":
            self._ready.add(event.rank)
        elif event.e == "lost":
            pool.deaths[event.rank] = event.t - self._began
            if isinstance(event.error, LeftRank) and event.rank not in self._ready:
                pool.skipped[event.rank] = event.error.error
        elif event.e == "unhandled":
            if event.job is not None:
                pool.unhandled.add(event.job)
                if isinstance(event.error, JobFailed):
                    pool.told[event.job] = event.error.description
            elif isinstance(event.error, NotScheduled):
                pool.blocked[event.error.node] = event.error.because
        elif event.e == "one_at_a_time":
            pool.ahead = False
        elif event.e == "in_turn":
            pool.in_turn = True
        elif event.e == "idle_first":
            pool.idle_first = True
        elif event.e in ("end", "unexecuted"):
            pool.ended = True

    def _take_status(self, event: JobStatusChanged) -> None:
        pool = self._pool
        if event.status == "failed":
            pool.failed[event.job] = event.error or Raised("Exception", "")
            if event.rank is not None and event.job not in self._came:
                pool.unpacked[event.job] = pool.failed[event.job]
        elif event.status == "aborted" and isinstance(event.error, Overdue):
            pool.overdue[event.job] = event.error
            pool.hosts[event.error.rank] = event.error.host
