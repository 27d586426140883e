"""Shrinks findings: finds the fewest departures from the default schedule, with a description of each.

Only a run shows which choices exist, so each attempt is a run. Making findings belongs in `findings`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

from ..choices import Choice, ComesFirst, Kind, TooEarly
from ..default_strategies import InOrder
from ..errors import TapeError
from ..random_streams import stream
from ..tape import Tape
from .drawing import Drawn
from .findings import ChoiceMade, Finding
from .schedules import Runner, Schedule
from .walk import Walk

#: Schedules that shrinking one finding may take, and that are drawn after a choice to see whether it decides.
MOST_RUNS, DRAWN = 200, 12


class Shrinking:
    """Shrinks findings of one program.

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
        self._left = MOST_RUNS

    def shrink(self, finding: Finding) -> Finding:
        """Return the same finding with a tape of fewer departures, and with its choices in words."""
        self._left = MOST_RUNS
        finding = self._fewest(finding)
        told = _Told(finding.tape)
        self._run(told, None, late=finding.late, eager_limit=finding.eager_limit)
        critical = self._critical(finding)
        choices = tuple(each._replace(critical=each.number == critical) for each in told.made)
        return replace(finding, choices=choices)

    def _fewest(self, finding: Finding) -> Finding:
        smaller = True
        while smaller and not self._over():
            smaller = False
            for number, index in reversed(finding.tape.departures.items()):
                less = {n: i for n, i in finding.tape.departures.items() if n != number}
                for attempt in (less, *({**less, number: lower} for lower in range(1, index))):
                    found = self._again(finding, Tape.with_departures(attempt))
                    if found is not None and len(found.tape.departures) + sum(found.tape.departures.values()) < len(
                        finding.tape.departures
                    ) + sum(finding.tape.departures.values()):
                        finding, smaller = found, True
                        break
                if smaller or self._over():
                    break
        return finding

    def _over(self) -> bool:
        return self._left <= 0 or self._spent()

    def _again(self, finding: Finding, tape: Tape) -> Finding | None:
        """The finding as a tape has it; None if it has not."""
        self._left -= 1
        try:
            schedule = self._run(InOrder(), tape, late=finding.late, eager_limit=finding.eager_limit)
        except TapeError:
            return None
        if str(schedule.simulation.tape) != str(tape):  # it names choices that did not come
            return None
        found = next(
            (each for each in self._findings_of(schedule, finding.eager_limit) if finding.same_fault(each)), None
        )
        return None if found is None else replace(found, schedule=finding.schedule)

    def _critical(self, finding: Finding) -> int | None:
        """The first departure after which every schedule that is drawn goes wrong; None if there is none."""
        for number in finding.tape.departures:
            indices = [finding.tape.departures.get(n, 0) for n in range(number + 1)]
            for drawn in range(DRAWN):
                if self._spent():
                    return None
                rule = Walk(stream(drawn, "whether a choice decides"), 0)
                run = functools.partial(self._run, late=finding.late, eager_limit=finding.eager_limit)
                schedule = run(Drawn(rule), Tape(indices))
                if not any(finding.same_fault(each) for each in self._findings_of(schedule, finding.eager_limit)):
                    break
            else:
                return number
        return None


class _Told:
    """The strategy that follows a tape, and says in words where it departs from what happens by default."""

    def __init__(self, tape: Tape):
        self._departures = tape.departures
        self.made: list[ChoiceMade] = []

    def pick(self, choice: Choice) -> int:
        """Pick what the tape has."""
        index = self._departures.get(choice.number, 0)
        if index:
            self.made.append(ChoiceMade(choice.number, choice.where, _text(choice, index), False))
        return index


def _text(choice: Choice, index: int) -> str:
    alternatives = choice.alternatives
    taken, usual = alternatives[index], alternatives[0]
    if isinstance(taken, TooEarly):
        return f"{choice.call} of rank {choice.who} finds nothing yet, although something is there"
    if choice.kind is Kind.MESSAGE:
        return f"{choice.call} of rank {choice.who} takes {taken} before {usual}"
    if choice.kind is Kind.THREAD:
        return f"{taken} goes on at {choice.call} before {usual}"
    if choice.kind is Kind.FAULT:
        return str(taken)
    if choice.kind is Kind.RECEIVER and isinstance(taken, ComesFirst) and isinstance(usual, ComesFirst):
        return f"rank {taken.rank} ({taken.what}) goes on before rank {usual.rank} ({usual.what})"
    return f"{choice.question}: {taken}, not {usual}"
