"""Chrome's trace-event format, which ui.perfetto.dev opens: jobs as slices, dependencies as flows, counters.

The format is that of the document "Trace Event Format": an object with ``traceEvents``; times in microseconds. Each
pool is a process and each rank a thread of it. What the caches hold, and what befell ranks, is in a process of its
own, since those outlive pools.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors_and_facts import in_words
from .history import History, JobHistory, PoolHistory

__all__ = ["perfetto_json"]

#: The colour names that the viewers know, for what did not succeed.
_COLOURS = {"failed": "terrible", "aborted": "bad"}


def perfetto_json(history: History, title: str, *, compressed: bool = False) -> bytes:
    """Return the content of the file.

    :param title: what the trace is called.
    :param compressed: as gzip, which Perfetto opens too.
    """
    encode = json.JSONEncoder(separators=(",", ":")).encode
    other = {"generator": "bsbpool", "title": title, **{key: encode(value) for key, value in history.header.items()}}
    head = f'{{"displayTimeUnit":"ms","otherData":{encode(other)},"traceEvents":[\n'
    text = head + ",\n".join(map(encode, _events(history))) + "\n]}\n"
    return gzip.compress(text.encode(), mtime=0) if compressed else text.encode()


def _events(history: History) -> Iterator[dict[str, Any]]:
    flows = 0
    for pool in history.pools:
        pid = pool.place + 1
        yield from _named("process", f"pool {pool.id}", pid, 0, pid)
        for rank in sorted({job.rank for job in pool.jobs.values() if job.running is not None}):
            yield from _named("thread", f"rank {rank}", pid, rank + 1, rank)
        for job in pool.jobs.values():
            yield from _job(history, pool, job)
        for flow in _flows(history, pool):
            yield {"cat": "dependency", "name": "depends on", "id": flows + flow.pop("number"), "pid": pid, **flow}
        flows += sum(len(job.deps) for job in pool.jobs.values())
        for name, pairs in (("ranks busy", _busy(history, pool)), ("jobs ready", _ready(history, pool))):
            for t, value in _steps(pairs):
                yield {"ph": "C", "name": name, "pid": pid, "ts": _us(history, t), "args": {name.split()[0]: value}}
    pid = len(history.pools) + 1
    if history.caches or history.marks:
        yield from _named("process", "caches and ranks", pid, 0, pid)
    for t, items in _cached(history):
        yield {"ph": "C", "name": "items cached", "pid": pid, "ts": _us(history, t), "args": {"items": items}}
    for mark in history.marks:
        where = {"pid": pid, "tid": mark.rank + 1, "ts": _us(history, mark.t)}
        yield {"ph": "i", "s": "g", "cat": "rank", "name": f"rank {mark.rank} {mark}", **where}


def _named(what: str, name: str, pid: int, tid: int, order: int) -> Iterator[dict[str, Any]]:
    yield {"ph": "M", "name": f"{what}_name", "pid": pid, "tid": tid, "args": {"name": name}}
    yield {"ph": "M", "name": f"{what}_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": order}}


def _us(history: History, t: int) -> float:
    """Return a time in microseconds since the first pool was opened."""
    return (t - history.first) / 1000


def _job(history: History, pool: PoolHistory, job: JobHistory) -> Iterator[dict[str, Any]]:
    for rank, sent, lost in job.tries:
        lane = {"pid": pool.place + 1, "tid": rank + 1, "ts": _us(history, sent), "dur": (lost - sent) / 1000}
        args = {"job": job.id, "status": "lost with its rank, and tried again"}
        yield {"ph": "X", "cat": "job", "name": job.name, **lane, "cname": "bad", "args": args}
    interval = job.interval(history.last)
    if interval is None:
        return
    started, ended = interval
    where = {"pid": pool.place + 1, "tid": job.rank + 1}
    told: dict[str, Any] = {"job": job.id, "status": job.status, "kind": job.kind}
    told.update((f"context.{key}", value) for key, value in job.context.items())
    if job.error is not None:
        told["error"] = in_words(job.error)
    slice = {"ph": "X", "cat": "job", "name": job.name, "ts": _us(history, started), "dur": (ended - started) / 1000}
    colour = {"cname": _COLOURS[job.status]} if job.status in _COLOURS else {}
    yield {**slice, **where, **colour, "args": told}
    if job.failed:
        failure = {"ph": "i", "s": "t", "cat": "failure", "name": f"✗ {in_words(job.error)}", "ts": _us(history, ended)}
        yield {**failure, **where, "args": {"job": job.id}}


def _flows(history: History, pool: PoolHistory) -> Iterator[dict[str, Any]]:
    """An arrow from each job that ran to those that ran after it because they depend on it."""
    number = 0
    for job in pool.jobs.values():
        there = job.interval(history.last)
        for dep in job.deps:
            number += 1
            source = pool.jobs[dep]
            here = source.interval(history.last)
            if here is None or there is None:
                continue
            # Flows bind to the slice around them, so it has to begin before its slice ends.
            leaves = _us(history, max(here[0], here[1] - 1))
            yield {"ph": "s", "number": number, "tid": source.rank + 1, "ts": leaves}
            yield {"ph": "f", "bp": "e", "number": number, "tid": job.rank + 1, "ts": _us(history, there[0])}


def _busy(history: History, pool: PoolHistory) -> Iterator[tuple[int, int]]:
    for job in pool.jobs.values():
        interval = job.interval(history.last)
        if interval is not None:
            yield interval


def _ready(history: History, pool: PoolHistory) -> Iterator[tuple[int, int]]:
    for job in pool.jobs.values():
        if job.status != "pending":
            until = job.running if job.running is not None else job.finished
            yield job.queued, history.last if until is None else until


def _steps(pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the number of open intervals at each time at which it changes."""
    changes: dict[int, int] = {}
    for start, end in pairs:
        changes[start] = changes.get(start, 0) + 1
        changes[end] = changes.get(end, 0) - 1
    value = 0
    for t in sorted(changes):
        if changes[t]:
            value += changes[t]
            yield t, value


def _cached(history: History) -> Iterator[tuple[int, int]]:
    """Yield the number of items that all ranks hold together at each time at which it changes."""
    held: dict[int, set[int]] = {}
    total = 0
    for change in history.caches:
        if change.items is None:
            held.clear()
            total = 0
        else:
            items = held.setdefault(change.rank, set())
            total -= len(items)
            items.update(change.items) if change.taken else items.difference_update(change.items)
            total += len(items)
        yield change.t, total
