"""Ensures that every replay ends: with limits that depend on the size of the trace.

A trace may contain anything. The steps of a replay are counted, and their bound is a multiple of the number of events;
no clock is used. How a replay proceeds belongs in `exact` and `whatif`.
"""

from __future__ import annotations

from typing import cast

from bsbpool.sizes import MOST_RANKS
from bsbpool.trace import Trace
from bsbpool.trace.events import PoolEvent

from ..errors import SimulationError

#: Virtual seconds after which it is given up: more than a trace can tell.
HORIZON = 1e10

#: Nodes that one call schedules, at the most.
MOST_NODES = 10_000


#: Kinds of events that are not of main: nothing that it did, nor anything that it was told; and where errors were
#: raised, which is told beside them.
NOT_OF_MAIN = frozenset({"receive", "fault", "traceback"})


def of_main(trace: Trace) -> list[PoolEvent]:
    """Return the events of main: what it did, and what it was told."""
    return cast("list[PoolEvent]", [event for event in trace.events if event.e not in NOT_OF_MAIN])


class ReplayError(SimulationError):
    """A trace can't be replayed; the message says why."""


def most_steps(trace: Trace, ranks: int) -> int:
    """Return the limit of steps for a replay of that trace, which is far above what any replay takes that ends."""
    return 10_000 + 100 * len(trace) + 100 * ranks


def check_size(trace: Trace, ranks: int) -> None:
    """Check that the number of ranks is in proportion to the trace.

    :raises ReplayError: there are more than `MOST_RANKS`, and more than the trace has events.
    """
    if ranks > max(MOST_RANKS, len(trace)):
        raise ReplayError(
            f"it has a pool of {ranks:,} ranks and only {len(trace):,} events: more than {MOST_RANKS:,} ranks are "
            "replayed only if most of them did something"
        )
