"""Partial order sampling: each possible event has a random priority, which is drawn again when the event competes with
one that happens.

Yuan, Yang and Gu, "Partial Order Aware Concurrency Sampling", CAV 2018. If many ranks are independent, a random walk
mostly draws equivalent orders; this strategy draws classes of equivalent orders more evenly.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..choices import Choice
from ..matches import Ready
from ..random_streams import Random
from .drawing import any_of


class Pos:
    """A rule that takes the highest priority. Matches compete if they are of one rank."""

    def __init__(self, random: Random, length: int):
        self._random = random
        self._priorities: dict[tuple[int, int, int], float] = {}
        self.steps = 0

    def match(self, ready: Sequence[Ready]) -> tuple[int, int]:
        """The match of the highest priority."""
        self.steps += 1
        best, found = -1.0, (0, 0)
        for index, one in enumerate(ready):
            for message, source in enumerate(one.sources):
                key = one.rank, one.number, source
                priority = self._priorities.get(key)
                if priority is None:
                    priority = self._priorities[key] = self._random.random()
                if priority > best:
                    best, found = priority, (index, message)
        rank = ready[found[0]].rank
        self._priorities = {key: priority for key, priority in self._priorities.items() if key[0] != rank}
        return found

    def other(self, choice: Choice) -> int:
        """Any alternative: each time, they have new priorities."""
        self.steps += 1
        return any_of(self._random, choice.count)
