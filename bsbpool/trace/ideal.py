"""The ideal schedule of a run: a lower bound of its makespan, and a schedule that is close to it.

Jobs take the recorded time, on any rank; messages, main and caches take no time. The actual schedule belongs in
`summary`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

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
        jobs = _jobs_of(pools, history.last)
        behind = _behind(jobs)
        work = sum(took for took, _ in jobs)
        bound += max(max(behind, default=0), -(-work // workers))
        packed += _schedule(jobs, behind, workers)
    return Ideal(bound / _SECOND, packed / _SECOND)


def _jobs_of(pools: Sequence[PoolHistory], last: int) -> list[tuple[int, list[int]]]:
    """Return, for each job that ran, its duration and the places of its dependencies, which come before it."""
    jobs: list[tuple[int, list[int]]] = []
    for pool in pools:
        places: dict[int, int] = {}
        for id, job in pool.jobs.items():
            interval = job.interval(last)
            if interval is not None:
                places[id] = len(jobs)
                jobs.append((interval[1] - interval[0], [places[dep] for dep in job.deps if dep in places]))
    return jobs


def _behind(jobs: Sequence[tuple[int, list[int]]]) -> list[int]:
    """Return, for each job, the duration of the longest chain that begins with it."""
    behind = [0] * len(jobs)
    for place in range(len(jobs) - 1, -1, -1):
        took, deps = jobs[place]
        behind[place] += took
        for dep in deps:
            behind[dep] = max(behind[dep], behind[place])
    return behind


def _schedule(jobs: Sequence[tuple[int, list[int]]], behind: Sequence[int], workers: int) -> int:
    """Return the makespan if the ready job with the longest chain behind it always starts first."""
    open_deps = [len(deps) for _, deps in jobs]
    dependents: list[list[int]] = [[] for _ in jobs]
    for place, (_, deps) in enumerate(jobs):
        for dep in deps:
            dependents[dep].append(place)
    ready = [(-behind[place], place) for place, count in enumerate(open_deps) if not count]
    heapq.heapify(ready)
    running: list[tuple[int, int]] = []
    now = 0
    while ready or running:
        while ready and len(running) < workers:
            place = heapq.heappop(ready)[1]
            heapq.heappush(running, (now + jobs[place][0], place))
        now, place = heapq.heappop(running)
        for dependent in dependents[place]:
            open_deps[dependent] -= 1
            if not open_deps[dependent]:
                heapq.heappush(ready, (-behind[dependent], dependent))
    return now
