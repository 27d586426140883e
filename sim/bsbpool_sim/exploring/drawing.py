"""Common base of the strategies that draw schedules at random: each step is one decision.

The decisions are in the files of the strategies; `schedules` defines schedules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..choices import Choice, Kind
from ..cluster import Cluster
from ..matches import Ready
from ..random_streams import Random


class Rule(Protocol):
    """Makes random decisions. Each schedule has a new instance.

    :ivar steps: how many decisions it has made.
    """

    steps: int

    def match(self, ready: Sequence[Ready]) -> tuple[int, int]:
        """Return the index of the receive to match, and that of the message among those it can take."""

    def other(self, choice: Choice) -> int:
        """Return the index of the alternative for any other choice."""


class Drawn:
    """The strategy of one schedule that is drawn by a rule.

    :ivar order: what was decided: each step by its rank, in that rank's order, and all other choices.
    """

    def __init__(self, rule: Rule):
        self._rule = rule
        self._answers: dict[Kind, int] = {}
        self.order: dict[int, list[tuple[int, int]]] = {}

    def install(self, cluster: Cluster) -> None:
        """Begin the schedule on this cluster."""
        if cluster.late is not None:
            cluster.late.on_step = self._on_step

    def _on_step(self, ready: list[Ready]) -> None:
        index, message = self._rule.match(ready)
        one = ready[index]
        self.order.setdefault(one.rank, []).append((one.number, one.sources[message]))
        self._answers = {Kind.RECEIVER: index, one.kind: message} if len(ready) > 1 else {one.kind: message}

    def pick(self, choice: Choice) -> int:
        """Return the index that the rule decided on."""
        answers = self._answers
        if answers:
            if choice.kind is not Kind.RECEIVER and Kind.RECEIVER in answers:
                answers.clear()  # a tape has decided which receive it is
            if (answer := answers.pop(choice.kind, None)) is not None:
                return answer
        index = self._rule.other(choice)
        self.order.setdefault(-1, []).append((choice.number, index))
        return index


def each_match(ready: Sequence[Ready]) -> list[tuple[int, int]]:
    """Return all possible matches: the index of the receive, and that of the message among those it can take."""
    return [(index, message) for index, one in enumerate(ready) for message in range(len(one.sources))]


def any_of(random: Random, count: int) -> int:
    """Return a uniformly distributed index below `count`."""
    return int(random.random() * count)
