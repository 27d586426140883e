"""What the kernel needs of others: what its events are, and what to do when nothing can run any more.

Interfaces only; the kernel is in `kernel`.
"""

from __future__ import annotations

from typing import Any, Protocol

from .choices import ComesFirst


class Happening:
    """Whose methods the kernel calls as events: it says what they are, where an event is an alternative."""

    def happening(self, argument: Any) -> ComesFirst:
        """What happens when a method of this is called with `argument`."""
        return ComesFirst(None, type(self).__name__)

    def key(self) -> tuple[Any, ...] | None:
        """What tells this from all others whose methods are called with None, in each order in which things happen:
        its events come in a row, and which of them is called makes no difference. None: there is nothing."""
        return None


class WhenIdle(Protocol):
    """What is asked when nothing can run any more: `bsbpool_sim.matches.LateMatching` is it."""

    def decide(self) -> bool:
        """Bring about that something can run. Returns whether that is so."""

    def poll(self) -> None:
        """Let the task that runs now, whose test or probe found nothing, wait until it is worth another look."""
