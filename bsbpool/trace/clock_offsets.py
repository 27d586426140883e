"""Clock offsets: converts times of other ranks to main's clock.

A message reports when its job started and ended, on the clock of its rank. Ranks of one host share a clock. For other
ranks, messages give bounds: a rank's first job started after main had sent it, and each job ended before main received
its outcome. Clocks also drift, by tens of milliseconds in an hour; this is not corrected.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .format import Trace

__all__ = ["Offset", "offsets"]


class Offset(NamedTuple):
    """Offset of a rank's clock: subtract it from the rank's times to get times of main's clock."""

    #: nanoseconds.
    ns: int
    #: maximal error in nanoseconds, as far as messages bound it.
    error: int


def offsets(trace: Trace) -> dict[tuple[Any, int], Offset]:
    """Return the clock offset of each rank that ran a job, by pool and rank."""
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
