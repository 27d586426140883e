"""The parallel efficiency of a run, as a product of three factors, one for each kind of loss.

The method is the multiplicative model of the POP project, with the causes of idle time that `idle` finds: first the
time for messages and main is removed, then the time that ranks waited for each other; the rest is uneven work.
"""

from __future__ import annotations

from dataclasses import dataclass

from .history import History
from .idle import Cause, Idle, idle_times

__all__ = ["Efficiency", "efficiency"]

#: Causes that are losses of transfer.
_TRANSFER = (Cause.MESSAGE, Cause.BETWEEN, Cause.MAIN)
#: Causes that are losses of serialisation.
_SERIALISATION = (Cause.NOT_READY, Cause.NOT_QUEUED, Cause.ABSENT, Cause.NO_POOL)
#: All other causes are losses of load balance: `Cause.TAIL`, `Cause.LOST`.


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Parallel efficiency and its factors, each from 0 to 1.

    :ivar total: the share of the workers' time in which they ran jobs: the product of the others.
    :ivar load_balance: what is left of 1 because some workers had nothing more to do while others still ran jobs.
    :ivar serialisation: likewise, because no job was ready or queued.
    :ivar transfer: likewise, because of messages, and of main, which hands out jobs.
    """

    total: float
    load_balance: float
    serialisation: float
    transfer: float


def efficiency(history: History, idle: Idle | None = None) -> Efficiency | None:
    """Return the efficiency of a run; None if the trace does not tell, or the run took no time.

    :param idle: the idle times of that history, if they are known already.
    """
    if idle is None:
        idle = idle_times(history)
    there = len(idle.ranks) * (history.last - history.first)
    by_cause = idle.by_cause
    if not there or Cause.UNTOLD in by_cause:
        return None
    without_transfer = there - sum(by_cause[cause] for cause in _TRANSFER)
    at_work = without_transfer - sum(by_cause[cause] for cause in _SERIALISATION)
    busy = there - idle.total
    return Efficiency(
        total=busy / there,
        load_balance=busy / at_work if at_work else 1.0,
        serialisation=at_work / without_transfer if without_transfer else 1.0,
        transfer=without_transfer / there,
    )
