"""Clocks: when, on main's clock, jobs ran whose ranks have clocks of their own.

A message tells when its job started and ended on the clock of its rank. Ranks of one host share a clock. For the
others, what is sent gives bounds: a rank's first job started after main had sent it, and each job ended before main
heard of it. Clocks drift, too: by tens of milliseconds in an hour; that is not made up for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .format import Trace

__all__ = ["Offset", "offsets"]


class Offset(NamedTuple):
    """How far a rank's clock is from main's: what to take from its times to have them on main's clock."""

    #: nanoseconds.
    ns: int
    #: nanoseconds by which that may be wrong, at most, as far as the messages tell.
    error: int


def offsets(trace: Trace) -> dict[tuple[Any, int], Offset]:
    """By pool and rank, for ranks that ran a job: how far their clocks are from main's."""
    hosts = trace.header.get("hosts", [])
    sent: dict[tuple[Any, int], int] = {}
    least: dict[tuple[Any, int], int] = {}
    most: dict[tuple[Any, int], int] = {}
    for event in trace.events:
        if event.e == "status":
            if event.status == "running" and event.rank is not None:
                sent.setdefault((event.pool, event.rank), event.t)
        elif event.e == "message":
            key = event.pool, event.rank
            if key not in most:
                most[key] = event.started - sent.get(key, 0)
            least[key] = max(least.get(key, event.ended - event.t), event.ended - event.t)
    found = {}
    for key, low in least.items():
        if trace.header.get("simulated") or len(hosts) == 1 or (key[1] < len(hosts) and hosts[key[1]] == hosts[0]):
            found[key] = Offset(0, 0)
        else:
            high = max(low, most[key])
            found[key] = Offset((low + high) // 2, (high - low + 1) // 2)
    return found
