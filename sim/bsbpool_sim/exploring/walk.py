"""The uniform random walk: all alternatives of a choice have the same probability."""

from __future__ import annotations

from collections.abc import Sequence

from ..choices import Choice
from ..matches import Ready
from ..random_streams import Random
from .drawing import any_of, each_match


class Walk:
    """Rule without preferences."""

    def __init__(self, random: Random, length: int):
        self._random = random
        self.steps = 0

    def match(self, ready: Sequence[Ready]) -> tuple[int, int]:
        """Return a random match."""
        self.steps += 1
        matches = each_match(ready)
        return matches[any_of(self._random, len(matches))]

    def other(self, choice: Choice) -> int:
        """Return a random alternative."""
        self.steps += 1
        return any_of(self._random, choice.count)
