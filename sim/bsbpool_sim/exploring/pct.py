"""Probabilistic concurrency testing: random priorities, and a few points at which the highest one is lowered.

Burckhardt, Kothari, Musuvathi and Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
ASPLOS 2010, for messages in place of threads, after Ozkan et al., "Randomized Testing of Distributed Systems with
Probabilistic Guarantees", OOPSLA 2018: chains of messages have priorities, here the messages of one rank to another. It
finds failures that need one rank to be late for a long time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from ..choices import Choice, ComesFirst
from ..matches import Ready
from ..random_streams import Random
from ..thread_turns import GOING_ON, ThreadTurns
from .drawing import any_of

#: How many steps a schedule is taken to have, when none was seen yet.
STEPS = 10


class Pct:
    """A rule that lets the chain of the highest priority go first.

    :param length: the number of steps that earlier schedules had; 0: none was seen.
    :param depth: how many orders have to be right for a failure to show: one less than there are places of change.
    """

    def __init__(self, random: Random, length: int, depth: int = 3):
        self._random = random
        self._priorities: dict[Hashable, float] = {}
        self._changes = [any_of(random, length or STEPS) for _ in range(depth - 1)]
        self.steps = 0

    def _first(self, chains: Sequence[Hashable]) -> int:
        for chain in chains:
            if chain not in self._priorities:
                self._priorities[chain] = 1 + self._random.random()
        found = max(range(len(chains)), key=lambda index: self._priorities[chains[index]])
        if self.steps in self._changes:
            self._priorities[chains[found]] = -float(self.steps)
            found = max(range(len(chains)), key=lambda index: self._priorities[chains[index]])
        self.steps += 1
        return found

    def match(self, ready: Sequence[Ready]) -> tuple[int, int]:
        """Return the match whose messages have the highest priority."""
        matches = [(i, m) for i, one in enumerate(ready) for m in range(len(one.sources))]
        chains = [(ready[i].rank, ready[i].sources[m]) for i, m in matches]
        first = self._first(chains)
        place = ready[matches[first][0]].place
        if isinstance(place, ThreadTurns) and place.call == GOING_ON:
            # Who sleeps again goes behind all others: one that sleeps in a loop would come first for ever.
            self._priorities[chains[first]] = -float(self.steps)
        return matches[first]

    def other(self, choice: Choice) -> int:
        """The event of the rank of the highest priority; of anything but events, any alternative."""
        alternatives = choice.alternatives
        if isinstance(alternatives[0], ComesFirst):
            return self._first([each.rank if isinstance(each, ComesFirst) else None for each in alternatives])
        self.steps += 1
        return any_of(self._random, choice.count)


def of_depth(depth: int) -> Callable[[Random, int], Pct]:
    """Return a factory of rules that find failures of this depth."""
    return lambda random, length: Pct(random, length, depth)
