"""The simulated host of each rank, and its name. With several hosts, ranks are placed in blocks.

Ranks of one host can share memory, and see the same names and numbers of the machine. Messages between hosts take as
long as between any two ranks: see `network`.
"""

from __future__ import annotations

from collections.abc import Sequence


class Hosts:
    """The simulated hosts: each has as many ranks as any other, or one more, if it is among the first.

    :param ranks: how many ranks there are.
    :param count: how many hosts, at most as many.
    """

    def __init__(self, ranks: int, count: int):
        self.count = count
        self._ranks = ranks
        self._each, self._larger = divmod(ranks, count)

    def of(self, rank: int) -> int:
        """Return the number of the host of a rank."""
        in_larger = self._larger * (self._each + 1)
        if rank < in_larger:
            return rank // (self._each + 1)
        return self._larger + (rank - in_larger) // self._each

    def place(self, rank: int) -> tuple[int, int]:
        """Return which rank of its host a rank is, and how many ranks that host has."""
        host = self.of(rank)
        first = host * self._each + min(host, self._larger)
        return rank - first, self._each + (host < self._larger)

    def name(self, rank: int) -> str:
        """Return the name of the host of a rank, as a program there is told it."""
        return f"simulated-{self.of(rank)}"

    def together(self, ranks: Sequence[int]) -> bool:
        """Return whether these ranks, of which there is one at least, are on one host."""
        return self.count == 1 or self.of(min(ranks)) == self.of(max(ranks))

    def told(self, rank: int) -> str:
        """Return what messages to people call the host of a rank: by its name, if there are several."""
        return self.name(rank) if self.count > 1 else "a simulated host"

    def in_traces(self) -> list[str]:
        """Return the hosts as the header of a trace has them: by rank, or one for all."""
        return [self.name(rank) for rank in range(self._ranks)] if self.count > 1 else ["simulated"]
