"""Finds reads of memory that MPI has not written yet: for example, of the buffer of a receive before its wait, or of a
rank's own window while other ranks write to it.

Such a read is not an event. But by MPI's rules the memory may have any content until then, and a correct program
behaves the same with each. So the program is run again with other values there. If it behaves differently, the memory
that it has read is found by changing the values of one line, and of one rank, at a time.

If ranks have threads, one more run finds what these change there: in it, a wait ends when nothing else can go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..checks.audit import KINDS
from ..checks.buffer_races import KIND
from ..checks.effects import Effects
from ..checks.undefined import KEPT, NEGATIVE, POSITIVE, Undefined
from ..checks.violations import CallPlace, Violation
from ..checks.window_races import KIND as OF_WINDOWS
from ..checks.window_reads import BYTES, WindowReads, Write
from ..cluster import Cluster
from ..default_strategies import InOrder
from ..mpi.contexts import ranks as ranks_text
from ..tape import Tape
from .findings import FoundFault, faults_of, of_violations
from .schedules import Runner, Schedule

#: Runs that finding out which memory was read may take, if there is time for so many.
MOST_RUNS = 100

_RIGHT_OF_WINDOWS = (
    "nothing says which comes first: put a fence, or an unlock and then a barrier or message, between access and read"
)
_RIGHT = "until the wait, flush or fence that ends it nobody knows what is there: read it after that"


class _Watched(InOrder):
    """The strategy of a run that is compared with another: what happens by default.

    :param undefined: what memory holds that MPI has not written yet.
    :param plan: the writes to windows that are undefined until they are known to have happened; None: these are noted.
    :param byte: what windows hold meanwhile.
    :param late_ends: whether a wait ends only when nothing else can go on, in ranks with threads.
    """

    cluster: Cluster

    def __init__(self, undefined: Undefined, plan: Sequence[Write] | None, byte: int, late_ends: bool = False):
        self._undefined, self._late_ends = undefined, late_ends
        self.reads = WindowReads(plan, byte)
        self.observed = Effects()

    def install(self, cluster: Cluster) -> None:
        """The schedule begins on this cluster."""
        self.cluster, cluster.late_ends = cluster, self._late_ends
        cluster.observed = self.observed
        if cluster.buffers is not None:
            cluster.buffers.undefined = self._undefined
        if cluster.races is not None:
            cluster.races.reads = self.reads


class EarlyReads:
    """Looks for them in the schedule that comes by default.

    :param run: runs the program.
    :param late: whether receives from any rank are matched late.
    :param spent: whether the time for this is over.
    """

    def __init__(self, run: Runner, late: bool, spent: Callable[[], bool]):
        self._run, self._late, self._spent = run, late, spent
        self._left = MOST_RUNS
        #: whether a difference was seen that was not looked into, for time.
        self.cut = False
        self._usual: Any = None
        #: whether ranks have threads.
        self._threads = False
        #: what undefined memory holds.
        self._what = POSITIVE

    def faults(self) -> list[tuple[FoundFault, Schedule]]:
        """What is found, each with the schedule that it was found in."""
        lines = Undefined(lambda place: False)
        self._usual, schedule, noted = self._end(lines, None)
        writes = noted.writes
        found = [] if not self._threads else self._changed_by_threads()
        if not lines.lines and not writes:
            return found
        for self._what in (POSITIVE, KEPT, NEGATIVE):
            other, changed, _ = self._end(Undefined(lambda place: True, self._what), writes)
            # Who writes there, though only what was there before, is seen now.
            violations = of_violations(changed.simulation.violations)
            found += [(fault, changed) for fault in violations if fault.kind == KIND]
            if other != self._usual:
                break
        else:
            return found
        if self._end(lines, None)[0] != self._usual:  # it differs anyhow
            return found
        # Memory that MPI has twice changes without being read.
        others = {each.place.rank for each in schedule.simulation.violations if each.kind == KIND}
        reads = [each for each in self._reads(lines) if each.place.rank not in others]
        known = {each.place[1:3] for each in schedule.simulation.violations if each.kind == OF_WINDOWS}
        reads += [each for each in self._window_reads(writes) if each.place[1:3] not in known]
        return [*found, *((fault, schedule) for fault in of_violations(reads))]

    def _changed_by_threads(self) -> list[tuple[FoundFault, Schedule]]:
        """Who changes memory that MPI has while another thread of the rank waits, which takes as long as it can."""
        watched = _Watched(Undefined(lambda place: False), None, BYTES[0], late_ends=True)
        schedule = self._run(watched, Tape(), late=self._late)
        violations = of_violations(schedule.simulation.violations)
        return [(fault, schedule) for fault in violations if fault.kind == KIND]

    def _reads(self, lines: Undefined) -> Iterator[Violation]:
        for places in lines.lines.values():
            if not self._differs([*places.values()], ()):
                continue
            for at in places.values():
                if len(places) == 1 or self._differs([at], ()):
                    yield Violation(KIND, at, f"reads memory that {at.name} has not written yet", _RIGHT)

    def _window_reads(self, writes: Sequence[Write]) -> Iterator[Violation]:
        for place in dict.fromkeys(each.place for each in writes):
            of_place = [each for each in writes if each.place == place]
            if self._differs((), of_place):
                owners = ranks_text(sorted({each.owner for each in of_place}))
                what = f"accesses the window of {owners} ({place.name}), who read these bytes themselves meanwhile"
                yield Violation(OF_WINDOWS, place, what, _RIGHT_OF_WINDOWS)

    def _differs(self, places: Sequence[CallPlace], writes: Sequence[Write]) -> bool:
        self._left -= 1
        if self._left < 0 or self._spent():
            self.cut = True
            return False
        where = {place[:3] for place in places}
        undefined = Undefined(lambda place: place[:3] in where, self._what)
        differs: bool = self._end(undefined, writes)[0] != self._usual
        return differs

    def _end(self, undefined: Undefined, plan: Sequence[Write] | None) -> tuple[Any, Schedule, WindowReads]:
        """What a run lets others see."""
        watched = _Watched(undefined, plan, BYTES[self._what == NEGATIVE])
        schedule = self._run(watched, Tape(), late=self._late)
        self._threads = watched.cluster.has_threads
        faults = [fault[:4] for fault in faults_of(schedule) if fault.kind not in KINDS]
        results = repr(schedule.simulation.results)
        return (watched.observed.notes, schedule.said, faults, results), schedule, watched.reads
