"""The effect of an access to a window, for finding conflicting accesses. Whether two conflict belongs in
`window_races`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

#: The operation of an access that reads, or compares, as a whole: it may meet any accumulating one.
ANY = "any"


class WatchedWindow(Protocol):
    """A window, as the checks see it: what its ranks share."""

    @property
    def members(self) -> Sequence[int]:
        """Its ranks, by their numbers in the simulation."""

    def bytes_of(self, rank: int) -> memoryview | None:
        """The memory of a rank, if only it and accesses change it; None: more may do so, or it is not one run."""


class WindowUse(NamedTuple):
    """What an access does.

    :ivar call: the method.
    :ivar reads: whether it only reads.
    :ivar atomic: the operation of an accumulating access, or `ANY`; "" of an access that is none.
    :ivar epoch: the number of fences before it; 0: it is between Start and Complete; None: it is under a lock.
    :ivar ranges: the bytes that it is about: the first of each run, and the one behind its last.
    """

    call: str
    reads: bool
    atomic: str
    epoch: int | None
    ranges: Sequence[tuple[int, int]]
