"""The uniform random walk: at each choice, every alternative is as likely as any other."""

from __future__ import annotations

from collections.abc import Sequence

from ..choices import Choice
from ..matches import Ready
from ..streams import Random
from .drawing import any_of, each_match


class Walk:
    """A rule that prefers nothing."""

    def __init__(self, random: Random, length: int):
        self._random = random
        self.steps = 0

    def match(self, ready: Sequence[Ready]) -> tuple[int, int]:
        """Any match."""
        self.steps += 1
        matches = each_match(ready)
        return matches[any_of(self._random, len(matches))]

    def other(self, choice: Choice) -> int:
        """Any alternative."""
        self.steps += 1
        return any_of(self._random, choice.count)
