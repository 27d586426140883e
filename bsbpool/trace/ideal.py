"""The ideal schedule of a run: a lower bound of its makespan, and a schedule that is close to it.

Jobs take the recorded time, on any rank; messages, main and caches take no time. The actual schedule belongs in
`summary`.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from .history import History, PoolHistory, pools_at_once

__all__ = ["Ideal", "ideal_schedule"]

_SECOND = 1e9


@dataclass(frozen=True, slots=True)
class Ideal:
    """Times that the jobs that ran would take in ideal schedules on as many workers.

    :ivar bound: seconds that no schedule can beat: the critical path, or all work divided by the workers,
        whichever is longer, for each pool.
    :ivar packed: seconds that a schedule takes which always starts the ready job with the longest chain behind
        it. It is one that exists, and is seldom far from the best; finding the best takes for ever.
    """

    bound: float
    packed: float


def ideal_schedule(history: History) -> Ideal:
    """Return the ideal times of a run. Pools that overlap are scheduled together; others are summed."""
    bound = packed = 0
    for pools in pools_at_once(history.pools, history.last):
        workers = max(1, max(pool.ranks for pool in pools) - 1)
        took, deps = _jobs_of(pools, history.last)
        behind = _behind(took, deps)
        bound += max(max(behind, default=0), -(-sum(took) // workers))
        packed += _schedule(took, deps, behind, workers)
    return Ideal(bound / _SECOND, packed / _SECOND)


def _jobs_of(pools: Sequence[PoolHistory], last: int) -> tuple[list[int], list[tuple[int, ...]]]:
    """Return the duration of each job that ran, and the places of its dependencies, which come before it."""
    took: list[int] = []
    deps: list[tuple[int, ...]] = []
    for pool in pools:
        places: dict[int, int] = {}
        for id, job in pool.jobs.items():
            interval = job.interval(last)
            if interval is not None:
                places[id] = len(took)
                took.append(interval[1] - interval[0])
                deps.append(tuple([places[dep] for dep in job.deps if dep in places]) if job.deps else ())
    return took, deps


def _behind(took: Sequence[int], deps: Sequence[tuple[int, ...]]) -> list[int]:
    """Return, for each job, the duration of the longest chain that begins with it."""
    behind = [0] * len(took)
    for place in range(len(took) - 1, -1, -1):
        chain = behind[place] = behind[place] + took[place]
        for dep in deps[place]:
            if behind[dep] < chain:
                behind[dep] = chain
    return behind


def _schedule(took: Sequence[int], deps: Sequence[tuple[int, ...]], behind: Sequence[int], workers: int) -> int:
    """Return the makespan if the ready job with the longest chain behind it always starts first.

    An entry of a heap is one number, a time and a place, which compares faster than a tuple of both.
    """
    count = len(took)
    open_deps = [*map(len, deps)]
    # The dependents of a job are a chain of links: the place of one of them, and the link before.
    latest, dependents, before = [-1] * count, array("q"), array("q")
    for place, of_job in enumerate(deps):
        for dep in of_job:
            before.append(latest[dep])
            latest[dep] = len(dependents)
            dependents.append(place)
    ready = [place - behind[place] * count for place, missing in enumerate(open_deps) if not missing]
    heapify(ready)
    running: list[int] = []
    now = 0
    while ready or running:
        while ready and len(running) < workers:
            place = heappop(ready) % count
            heappush(running, (now + took[place]) * count + place)
        now, place = divmod(heappop(running), count)
        link = latest[place]
        while link >= 0:
            dependent = dependents[link]
            open_deps[dependent] -= 1
            if not open_deps[dependent]:
                heappush(ready, dependent - behind[dependent] * count)
            link = before[link]
    return now
