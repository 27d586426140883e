"""Interfaces between the kernel and the code that schedules events: events, and what to do when nothing can run.

Interfaces only; the kernel is in `kernel`.
"""

from __future__ import annotations

from typing import Any, Protocol

from .choices import ComesFirst


class Happening:
    """Interface of an object whose methods the kernel calls as events. It says what an event is, for choices among
    events.
    """

    def happening(self, argument: Any) -> ComesFirst:
        """Return the alternative that stands for the event of calling a method of this object with `argument`."""
        return ComesFirst(None, type(self).__name__)

    def key(self) -> tuple[Any, ...] | None:
        """Return what identifies this object among those whose methods are called with None; None if nothing does.
        Events of one key follow each other, and it makes no difference which of them is called.
        """
        return None


class WhenIdle(Protocol):
    """Interface of what the kernel asks when nothing can run, as `bsbpool_sim.matches.LateMatching` implements it."""

    def decide(self) -> bool:
        """Make something able to run. Return whether something is."""
