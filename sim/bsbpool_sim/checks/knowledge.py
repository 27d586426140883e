"""What ranks know of each other: vector clocks, after Fidge (1988) and Mattern (1989).

A rank knows what another one did before it sent a message, came to a collective call, or released a lock, once it has
got that message, has come out of that call, or has got that lock. What is known that way has happened before in every
run.
"""

from __future__ import annotations

from collections.abc import Hashable


class Knowledge:
    """The clocks of ranks: how far each knows what each other one did."""

    def __init__(self) -> None:
        self._of: dict[int, dict[int, int]] = {}
        #: what somebody knew who told it by a message, a call or a lock.
        self._told: dict[Hashable, dict[int, int]] = {}

    def mark(self, rank: int) -> int:
        """Mark a moment of a rank. Returns its number, from 1, by which others may know of it."""
        clock = self._of.setdefault(rank, {})
        clock[rank] = clock.get(rank, 0) + 1
        return clock[rank]

    def moment(self, rank: int, other: int) -> int:
        """The last moment of another rank that a rank knows of; 0: none."""
        return self._of.get(rank, {}).get(other, 0)

    def tell(self, by: Hashable, rank: int) -> None:
        """A rank tells all that it knows, by a message, a collective call, or a lock."""
        if clock := self._of.get(rank):
            _join(self._told.setdefault(by, {}), clock)

    def hear(self, by: Hashable, rank: int, last: bool = False) -> None:
        """A rank hears all that was told that way.

        :param last: whether nobody else will hear it.
        """
        told = self._told.pop(by, None) if last else self._told.get(by)
        if told:
            _join(self._of.setdefault(rank, {}), told)

    def learn(self, rank: int, other: int) -> None:
        """A rank learns all that another one knows."""
        if known := self._of.get(other):
            _join(self._of.setdefault(rank, {}), known)

    def knows(self, rank: int, other: int, moment: int) -> bool:
        """Whether a rank knows of a moment of another one."""
        return self._of.get(rank, {}).get(other, 0) >= moment


def _join(clock: dict[int, int], other: dict[int, int]) -> None:
    for rank, moment in other.items():
        if moment > clock.get(rank, 0):
            clock[rank] = moment
