"""What an access to a window does, for who looks for accesses that conflict. Whether two do is in `window_races`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: The operation of an access that reads, or compares, as a whole: it may meet any accumulating one.
ANY = "any"


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
