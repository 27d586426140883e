"""Compares the results of runs, where a program has to return the same in each order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bsbpool.values import shown

from ..simulation import Simulation
from ..tape import Tape
from .findings import FoundFault


class SameResults:
    """What has to be the same in each run.

    :param same: returns it, for the list of what the program returned on each rank.
    """

    def __init__(self, same: Callable[[list[Any]], Any]):
        self._same = same
        #: that of the first run, with its tape.
        self._first: tuple[Any, Tape] | None = None

    def faults(self, simulation: Simulation) -> Sequence[FoundFault]:
        """Return a fault if a run has other results than the first one; only for runs that have ended well."""
        value = self._same(simulation.results)
        if self._first is None:
            self._first = value, simulation.tape
            return ()
        there, tape = self._first
        if _equal(value, there):
            return ()
        message = (
            f"the results differ between orders: {shown(there)} with the tape {tape}, {shown(value)} here; what `same` "
            "returns has to be the same in every order"
        )
        return (FoundFault("divergence", message, "", 0, ()),)


def _equal(one: Any, other: Any) -> bool:
    equal = one == other
    return bool(equal.all()) if hasattr(equal, "all") else bool(equal)
