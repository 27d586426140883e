"""Two strategies for the choices of a run: the default order, and an order that is drawn from the seed.

`choices` defines strategies.
"""

from __future__ import annotations

from .choices import Choice
from .random_streams import Random, stream


class InOrder:
    """Takes the default everywhere: events of one instant in the order in which they were scheduled, messages in order
    of arrival, requests in the order of their list, locks in the order in which they were asked for.
    """

    def pick(self, choice: Choice) -> int:
        """Pick the first alternative."""
        return 0


class Shuffled(InOrder):
    """Draws the order of events of one instant and turn from the seed, and takes the default in all other choices."""

    def __init__(self, seed: int):
        self._random: Random = stream(seed, "order of simultaneous events")

    def choose(self) -> float:
        """Draw a number."""
        return self._random.random()
