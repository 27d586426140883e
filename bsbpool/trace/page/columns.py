"""The data of the page: a trace as columns of small integers.

Times are whole nanoseconds since the first pool was opened, each stored as the difference from a similar one; texts
that occur often are stored once. `js/unpack.js` is the inverse of this; `packed_data` packs the columns.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from bsbpool.engine.status import JobStatus
from bsbpool.errors_and_facts import in_words

from ..efficiency import efficiency
from ..events import TracedError
from ..history import History, JobHistory
from ..ideal import ideal_schedule
from ..idle import Cause, RankIdle, Stretch, idle_times
from ..summary import totals

__all__ = ["page_data"]

_STATUSES = [status.value for status in JobStatus]
#: Characters of a job's context, at the most, and jobs that ranks waited for.
_LONGEST, _MOST_WAITS = 400, 100
_INTEGERS = frozenset({int})
_encode = json.JSONEncoder(ensure_ascii=False).encode


def page_data(history: History, title: str, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """What the page shows: JSON data, in which each column is an ``array("q")``."""
    first = history.first
    return {
        "title": title,
        "header": {key: _text(value) for key, value in history.header.items() if key not in ("trace", "version")},
        "warnings": list(warnings),
        "events": history.events,
        "ranks": history.ranks,
        "makespan": history.last - first,
        "statuses": _STATUSES,
        **_summary(history),
        **_jobs(history),
        **_caches(history),
        "idle": _idle(history),
        "marks": [[mark.t - first, mark.rank, str(mark)] for mark in history.marks],
    }


def _summary(history: History) -> dict[str, Any]:
    summary, ideal, first = totals(history), ideal_schedule(history), history.first
    return {
        "workers": len(summary.workers),
        "utilisation": round(summary.utilisation, 6),
        "critical": summary.critical_path,
        "bound": ideal.bound,
        "packed": ideal.packed,
        "pools": [
            {
                "id": _text(pool.id),
                "ranks": pool.ranks,
                "opened": pool.opened - first,
                "ended": None if pool.ended is None else pool.ended - first,
                "error": None if pool.error is None else in_words(pool.error),
                "jobs": len(pool.jobs),
                "path": array("q", told.path),
                "seconds": told.critical_path,
            }
            for pool, told in zip(history.pools, summary.pools, strict=True)
        ],
    }


class _Table(dict[Any, int]):
    """The number of each value, by which its place is told where it occurs."""

    def __missing__(self, value: Hashable) -> int:
        self[value] = number = len(self)
        return number


def _jobs(history: History) -> dict[str, Any]:
    names, kinds, contexts, errors, caches = (_Table() for _ in range(5))
    errors[None] = 0
    statuses = {status: place for place, status in enumerate(_STATUSES)}
    jobs = [job for pool in history.pools for job in pool.jobs.values()]
    times, heard = _times(jobs, history)
    unlike_most = [(number, job) for number, job in enumerate(jobs) if job.tries or job.status != "success"]
    columns = {
        "name": array("q", [names[job.name] for job in jobs]),
        "kind": array("q", [kinds[job.kind] for job in jobs]),
        "context": array("q", [contexts[_context(job.context)] for job in jobs]),
        "error": array("q", [errors[job.error] for job in jobs]),
        "cache": array("q", [caches[tuple(job.cache)] for job in jobs]),
        "status": array("q", [statuses[job.status] for job in jobs]),
        **times,
        "deps": _deps(history),
    }
    return {
        "names": [*names],
        "kinds": [*kinds],
        "contexts": [*contexts],
        "errors": [*map(in_words, errors)],
        "caches": [*caches],
        "jobs": columns,
        # Numbers of jobs that failed; and runs that were lost, and tried again: job, rank, when it was sent, how long.
        "failed": array("q", [number for number, job in unlike_most if job.failed]),
        # Where errors were raised, by number of the job; and of those that are of no job.
        "raised": {number: _raised(job.raised) for number, job in enumerate(jobs) if job.raised},
        "others": [_raised(errors) for pool in history.pools for errors in pool.raised],
        # Numbers of jobs that were cut off: what they took is no sample of what jobs take.
        "cut": array("q", [number for number, job in unlike_most if job.cut]),
        # Jobs whose outcome main received before it said what had become of them: how long after their end.
        "heard": heard,
        "tries": [
            (number, rank, sent - history.first, lost - sent)
            for number, job in unlike_most
            for rank, sent, lost in job.tries
        ],
    }


def _times(jobs: Sequence[JobHistory], history: History) -> tuple[dict[str, array[int]], dict[str, array[int]]]:
    """Where and when jobs ran, and when their outcome came before the rest: see `_jobs`."""
    # queued: since the job before was; sent: since queued, or -1; started, ended: since sent and started; received:
    # since ended.
    columns = {key: array("q") for key in ("rank", "queued", "sent", "started", "ended", "received")}
    heard = {"job": array("q"), "after": array("q")}
    add_rank, add_queued, add_sent, add_started, add_ended, add_received = (each.append for each in columns.values())
    before, last = history.first, history.last
    for number, job in enumerate(jobs):
        queued, running, finished = job.queued, job.running, job.finished
        add_queued(queued - before)
        before = queued
        if finished is None:
            finished = last
        interval = job.interval(last)
        if running is None or interval is None:
            add_sent(-1)
            add_received(finished - queued)
            continue
        started, ended = interval
        add_rank(job.rank)
        add_sent(running - queued)
        add_started(started - running)
        add_ended(ended - started)
        add_received(finished - ended)
        if job.outcome is not None and job.outcome[2] != finished:
            heard["job"].append(number)
            heard["after"].append(job.outcome[2] - ended)
    return columns, heard


def _deps(history: History) -> array[int]:
    """For each job how many others it depends on, then for each of these how far back it is in its pool."""
    column = array("q")
    for pool in history.pools:
        places = {id: place for place, id in enumerate(pool.jobs)}
        for place, job in enumerate(pool.jobs.values()):
            column.append(len(job.deps))
            if job.deps:
                column.extend([place - places[dep] for dep in job.deps])
    return column


def _raised(errors: Sequence[TracedError]) -> list[Any]:
    """For each error how it belongs to the one before it, its text, and its frames."""
    return [[each.how, in_words(each.error), [[*frame] for frame in each.frames]] for each in errors]


def _caches(history: History) -> dict[str, Any]:
    """What ranks took into their caches and freed: ``what`` is 1, 0, or -1 for all of all ranks."""
    sets = _Table()
    changes = {key: array("q") for key in ("t", "rank", "what", "items")}
    before = history.first
    for change in history.caches:
        changes["t"].append(change.t - before)
        before = change.t
        changes["rank"].append(change.rank)
        changes["what"].append(-1 if change.items is None else int(change.taken))
        changes["items"].append(sets[tuple(change.items or ())])
    return {"changes": changes, "changed": [*sets]}


def _idle(history: History) -> dict[str, Any]:
    """Why ranks idled. What messages of its own a rank waited for is in the times of its jobs."""
    idle, first = idle_times(history), history.first
    told = efficiency(history, idle)
    numbers = list(accumulate((len(pool.jobs) for pool in history.pools), initial=0))
    places = {cause: place for place, cause in enumerate(Cause)}
    groups = []
    for phases in idle.phases:
        # start: since the one before ended; job: its number, from 1; 0 for none.
        columns = {key: array("q") for key in ("start", "took", "cause", "job", "rank")}
        before = first
        for phase in phases:
            columns["start"].append(phase.start - before)
            columns["took"].append(phase.end - phase.start)
            columns["cause"].append(places[phase.cause])
            columns["job"].append(numbers[phase.pool] + phase.job + 1 if phase.job >= 0 else 0)
            columns["rank"].append(phase.rank)
            before = phase.end
        groups.append(columns)
    return {
        "causes": [[cause.name, cause.value] for cause in Cause],
        "groups": groups,
        "ranks": _alike((rank.rank, rank.group, [rank.by_cause[cause] for cause in Cause]) for rank in idle.ranks),
        # Ranks that follow each other and were gone alike: how many, the first, and from when to when for what cause.
        "gone": [
            [count, rank, [[each.start - first, each.end - first, places[each.cause]] for each in stretches]]
            for count, rank, stretches in _gone_alike(idle.ranks)
            if stretches
        ],
        "efficiency": told and [told.total, told.load_balance, told.serialisation, told.transfer],
        "waits": [[numbers[wait.pool] + wait.job, wait.rank, wait.idle] for wait in idle.waits[:_MOST_WAITS]],
    }


def _gone_alike(ranks: Iterable[RankIdle]) -> list[tuple[int, int, list[Stretch]]]:
    """When ranks were not there, or lost; those that follow each other and were so alike are one."""
    made: list[tuple[int, int, list[Stretch]]] = []
    for rank in ranks:
        if made and (made[-1][2] is rank.gone or made[-1][2] == rank.gone):
            made[-1] = made[-1][0] + 1, made[-1][1], rank.gone
        else:
            made.append((1, rank.rank, rank.gone))
    return made


def _alike(ranks: Iterable[tuple[int, int, list[int]]]) -> list[list[Any]]:
    """Ranks that follow each other and have the same group and times as one: how many, the first, group, times."""
    made: list[list[Any]] = []
    for rank, group, times in ranks:
        if made and made[-1][2:] == [group, times]:
            made[-1][0] += 1
        else:
            made.append([1, rank, group, times])
    return made


def _context(context: Mapping[str, Any]) -> str:
    """A context as a person reads it: ``chunk=(0, 0, 1), size=3``."""
    text = ", ".join([f"{key}={_text(value)}" for key, value in context.items()])
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    kind = type(value)
    if kind is int or (kind is list and _INTEGERS.issuperset(map(type, value))):
        return repr(value)  # as JSON is, and a page may have a million of them
    return _encode(value)
