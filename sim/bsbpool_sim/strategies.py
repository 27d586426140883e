"""Strategies that come along: what decides the choices that a tape says nothing of.

What a strategy is, and what it is asked, is in `choices`.
"""

from __future__ import annotations

from .choices import Choice
from .streams import Random, stream


class InOrder:
    """What happens by default: events of one instant in the order in which they were scheduled, messages in that in
    which they arrived, requests in that of their list, locks in that in which they were asked for."""

    def pick(self, choice: Choice) -> int:
        """Pick the first alternative."""
        return 0


class Shuffled(InOrder):
    """Events of one instant and turn happen in an order drawn from the seed; all else happens by default."""

    def __init__(self, seed: int):
        self._random: Random = stream(seed, "order of simultaneous events")

    def choose(self) -> float:
        """Draw a number."""
        return self._random.random()
