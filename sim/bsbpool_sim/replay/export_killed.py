"""Finds which jobs of a killed run lost their ranks, and what probably killed a run whose trace has no end.

The entries of a scenario for this are made in `export_entries`.
"""

from __future__ import annotations

from typing import NamedTuple

from bsbpool.facts import Died, Killed, LeftRank, LostRank
from bsbpool.trace.history import History


class KilledRun(NamedTuple):
    """How a killed run ended. Jobs are given as the number of their pool, and their id.

    :ivar silent: the jobs that are taken to have killed their ranks, with these.
    :ivar note: what is said of it; "" if it was not killed.
    :ivar main_died: when main died with it, after the number of the pool then; None if it did not.
    """

    silent: dict[tuple[int, int], int]
    note: str = ""
    main_died: tuple[int, int] | None = None


def killed_with_ranks(history: History) -> dict[tuple[int, int], int]:
    """Return the jobs whose ranks were lost, with these ranks."""
    return {
        (pool.place, job.id): job.rank
        for pool in history.pools
        for job in pool.jobs.values()
        if job.status == "aborted" and isinstance(job.error, LostRank | LeftRank) and job.rank
    }


def killed_run(history: History) -> KilledRun:
    """Return how a run ended whose trace has no end.

    On real ranks a rank that is killed takes along main, which has not heard of it. Its job is the one that was
    silent for longer than any of its name had been; where there is none such, the one that ran for longest.
    """
    deaths = [mark for mark in history.marks if mark.rank == 0 and isinstance(mark.what, Died | Killed)]
    cut = [pool for pool in history.pools if pool.ended is None]
    if not cut and not deaths:
        return KilledRun({})
    pool = cut[-1] if cut else history.pools[-1]
    running = [job for job in pool.jobs.values() if job.cut and job.finished is None]
    if deaths or not running:
        note = "Main died." if deaths else "The trace ends in the midst of the run, while no job ran: main died."
        return KilledRun({}, note, (pool.place, deaths[0].t if deaths else history.last))
    longest: dict[str, int] = {}
    for each in history.pools:
        for job in each.jobs.values():
            if job.outcome is not None:
                longest[job.name] = max(longest.get(job.name, 0), job.outcome[1] - job.outcome[0])
    silent = {job.id: history.last - (job.running or 0) for job in running}
    overdue = [job for job in running if job.name in longest and silent[job.id] > 1.5 * longest[job.name]]
    found = overdue or [max(running, key=lambda job: (silent[job.id], -job.id))]
    ranks = ", ".join(f"{job.rank} (job {job.id})" for job in found[:10])
    one = len(found) == 1
    note = (
        f"The trace ends in the midst of the run, while {len(running)} job{'s' * (len(running) != 1)} ran. "
        f"Taken to have been killed: rank{'' if one else 's'} {ranks}, of which main had not heard for longest."
    )
    return KilledRun({(pool.place, job.id): job.rank for job in found}, note)
