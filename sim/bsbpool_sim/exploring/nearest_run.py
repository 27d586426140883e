"""The run with a finding, and the nearest run without it: their common steps, and their differences.

Reducing the departures of a finding belongs in `shrinking`; showing two runs belongs in `side_by_side` and
`findings_page`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ..checks.audit import KINDS
from ..default_strategies import InOrder
from ..errors import TapeError
from ..tape import Tape
from .findings import Finding
from .schedules import Runner, Schedule
from .steps import Noting, Step

#: Runs that the search for one without the finding may take.
MOST_RUNS = 12

#: How a run ends in which nothing is wrong.
ENDS_WELL = "all ends well"


class TwoRuns(NamedTuple):
    """A run that passes, and the one that fails.

    :ivar before: the steps that they share, from the first on.
    :ivar passing: what follows in the run that passes.
    :ivar failing: what follows in the run that fails.
    :ivar passes: how the run that passes ends.
    :ivar fails: how the other one ends.
    :ivar tape: the tape of the run that passes.
    :ivar buffered: whether they make the same choices, and differ only in that messages are buffered in the one that
        passes.
    """

    before: tuple[Step, ...]
    passing: tuple[Step, ...]
    failing: tuple[Step, ...]
    passes: str
    fails: str
    tape: Tape
    buffered: bool


class Comparing:
    """Compares runs of one program.

    :param run: runs it.
    :param findings_of: what is wrong with a schedule that has this eager limit.
    :param spent: whether the time for it is over.
    """

    def __init__(
        self, run: Runner, findings_of: Callable[[Schedule, int | None], list[Finding]], spent: Callable[[], bool]
    ):
        self._run = run
        self._findings_of = findings_of
        self._spent = spent

    def compare(self, finding: Finding) -> TwoRuns | None:
        """Compare the run of a finding with one that passes, and that differs from it as late as possible.

        :returns: None: every run that was tried fails.
        """
        if finding.unusual is not None or (finding.kind in KINDS and not finding.tape.departures):
            return None  # no run shows it, or each one that comes there, as a rule
        if not finding.late and not finding.tape.departures:
            return None  # what goes wrong in a pool by default does so in each order, as a rule
        failing, schedule = self._noted(finding, finding.tape.departures, (), finding.eager_limit)
        counts = [*schedule.simulation.tape.counts]
        buffered = finding.eager_limit is not None
        attempts = self._attempts(finding, counts)
        found = next((attempt for attempt in attempts if self._passes(finding, attempt[1])), None)
        if found is None:
            return None
        number, departures = found
        marked = () if number is None else (number,)
        if marked:  # what is taken there by default is said as well
            failing, _ = self._noted(finding, finding.tape.departures, marked, finding.eager_limit)
        passing, good = self._noted(finding, departures, marked, None)
        wrong = self._findings_of(good, None)
        passes = ENDS_WELL if not wrong else f"{wrong[0].kind}: {wrong[0].message}"
        same = next(
            (place for place, (one, other) in enumerate(zip(passing, failing, strict=False)) if one != other),
            min(len(passing), len(failing)),
        )
        fails = f"{finding.kind}: {finding.message}"
        tape = good.simulation.tape
        return TwoRuns(failing[:same], passing[same:], failing[same:], passes, fails, tape, buffered)

    def _attempts(self, finding: Finding, counts: list[int]) -> Iterator[tuple[int | None, dict[int, int]]]:
        """Where another run parts from that of the finding, and its departures: those first that part late."""
        given = finding.tape.departures
        if finding.eager_limit is not None:
            yield None, dict(given)
            return
        left = MOST_RUNS
        # What a finding takes decides as a rule; else it may be any choice that was made as by default.
        for number in [*reversed(given), *(n for n in reversed(range(len(counts))) if n not in given)]:
            before = {n: index for n, index in given.items() if n < number}
            for index in range(counts[number]):
                if index == given.get(number, 0):
                    continue
                if not left or self._spent():
                    return
                left -= 1
                yield number, {**before, number: index} if index else before

    def _passes(self, finding: Finding, departures: Mapping[int, int]) -> bool:
        tape = Tape.with_departures(departures)
        try:
            schedule = self._run(InOrder(), tape, late=finding.late)
        except TapeError:
            return False
        return not any(finding.same_fault(each) for each in self._findings_of(schedule, None))

    def _noted(
        self, finding: Finding, departures: Mapping[int, int], marked: tuple[int, ...], eager_limit: int | None
    ) -> tuple[tuple[Step, ...], Schedule]:
        noting = Noting(departures, marked)
        schedule = self._run(noting, None, late=finding.late, eager_limit=eager_limit)
        return noting.steps(schedule, self._run.told), schedule
