"""Finds who reads memory that MPI has not written yet: the buffer of a receive before its wait, say.

Such a read is no event. But by MPI's rules the memory may hold anything until then, and a program that is right does
the same whatever it holds. So the program is run again with other values there, and if it does something else, which
memory it has read is found by having them at one line, and for one rank, at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..checks.buffer_races import KIND
from ..checks.observed import Observed
from ..checks.undefined import Undefined
from ..checks.violations import Place, Violation
from ..cluster import Cluster
from ..strategies import InOrder
from ..tape import Tape
from .findings import Fault, faults_of, of_violations
from .schedules import Runner, Schedule

#: Runs that finding out which memory was read may take.
MOST_RUNS = 100

_RIGHT = "until the wait, flush or fence that ends it nobody knows what is there: read it after that"


class _Watched(InOrder):
    """The strategy of a run that is compared with another: what happens by default.

    :param undefined: what memory holds that MPI has not written yet.
    """

    def __init__(self, undefined: Undefined):
        self._undefined = undefined
        self.observed = Observed()

    def install(self, cluster: Cluster) -> None:
        """The schedule begins on this cluster."""
        cluster.observed = self.observed
        if cluster.buffers is not None:
            cluster.buffers.undefined = self._undefined


class EarlyReads:
    """Looks for them in the schedule that comes by default.

    :param run: runs the program.
    :param late: whether receives from any rank are matched late.
    """

    def __init__(self, run: Runner, late: bool):
        self._run, self._late = run, late
        self._left = MOST_RUNS

    def faults(self) -> list[tuple[Fault, Schedule]]:
        """What is found, each with the schedule that it was found in."""
        nowhere, everywhere = Undefined(lambda place: False), Undefined(lambda place: True)
        usual, schedule = self._end(nowhere)
        if not nowhere.lines:
            return []
        other, changed = self._end(everywhere)
        # Who writes there, though only what was there before, is seen now.
        found = [(fault, changed) for fault in of_violations(changed.simulation.violations) if fault.kind == KIND]
        if other == usual or self._end(Undefined(lambda place: False))[0] != usual:
            return found
        # Memory that MPI has twice changes without being read.
        others = {each.place.rank for each in schedule.simulation.violations if each.kind == KIND}
        reads = [each for each in self._reads(nowhere, usual) if each.place.rank not in others]
        return [*found, *((fault, schedule) for fault in of_violations(reads))]

    def _reads(self, nowhere: Undefined, usual: Any) -> Iterator[Violation]:
        for places in nowhere.lines.values():
            if not self._differs(usual, [*places.values()]):
                continue
            for at in places.values():
                if len(places) == 1 or self._differs(usual, [at]):
                    yield Violation(KIND, at, f"reads memory that {at.name} has not written yet", _RIGHT)

    def _differs(self, usual: Any, places: Sequence[Place]) -> bool:
        self._left -= 1
        where = {place[:3] for place in places}
        return self._left >= 0 and self._end(Undefined(lambda place: place[:3] in where))[0] != usual

    def _end(self, undefined: Undefined) -> tuple[Any, Schedule]:
        """What a run lets others see."""
        watched = _Watched(undefined)
        schedule = self._run(watched, Tape(), late=self._late)
        faults = [fault[:4] for fault in faults_of(schedule) if fault.kind != KIND]
        results = repr(schedule.simulation.results)
        return (watched.observed.notes, schedule.said, faults, results), schedule
