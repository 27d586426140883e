"""Vector clocks of ranks, after Fidge (1988) and Mattern (1989).

A rank knows the actions of another rank before its send of a message, call of a collective operation, or release of a
lock, after it has received that message, returned from that call, or got that lock. These actions happened before in
every run.
"""

from __future__ import annotations

from collections.abc import Hashable


class Knowledge:
    """The vector clocks of all ranks: which events of each other rank each of them knows."""

    def __init__(self) -> None:
        self._of: dict[int, dict[int, int]] = {}
        #: what somebody knew who told it by a message, a call or a lock.
        self._told: dict[Hashable, dict[int, int]] = {}

    def mark(self, rank: int) -> int:
        """Advance the clock of a rank. Returns its new value, from 1."""
        clock = self._of.setdefault(rank, {})
        clock[rank] = clock.get(rank, 0) + 1
        return clock[rank]

    def moment(self, rank: int, other: int) -> int:
        """Return the last clock value of another rank that a rank knows; 0 for none."""
        return self._of.get(rank, {}).get(other, 0)

    def tell(self, by: Hashable, rank: int) -> None:
        """Attach a rank's clock to a message, a collective call, or a lock."""
        if clock := self._of.get(rank):
            _join(self._told.setdefault(by, {}), clock)

    def hear(self, by: Hashable, rank: int, last: bool = False) -> None:
        """Merge a clock that was received that way into a rank's.

        :param last: whether nobody else will hear it.
        """
        told = self._told.pop(by, None) if last else self._told.get(by)
        if told:
            _join(self._of.setdefault(rank, {}), told)

    def learn(self, rank: int, other: int) -> None:
        """Merge the clock of another rank into a rank's."""
        if known := self._of.get(other):
            _join(self._of.setdefault(rank, {}), known)

    def knows(self, rank: int, other: int, moment: int) -> bool:
        """Whether an event of another rank happened before the present of a rank."""
        return self._of.get(rank, {}).get(other, 0) >= moment


def _join(clock: dict[int, int], other: dict[int, int]) -> None:
    for rank, moment in other.items():
        if moment > clock.get(rank, 0):
            clock[rank] = moment
