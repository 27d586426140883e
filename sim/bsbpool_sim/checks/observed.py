"""What a program lets others see: what its ranks send, and bring to collective calls. By it two runs are compared."""

from __future__ import annotations

import zlib
from typing import Any


class Observed:
    """Takes note of what ranks of a simulation let others see, in order.

    :ivar notes: the rank, and a digest of what it gave.
    """

    def __init__(self) -> None:
        self.notes: list[tuple[int, int]] = []

    def gave(self, rank: int, what: Any) -> None:
        """A rank gave bytes to others, or a sequence of them."""
        self.notes.append((rank, _digest(what, 0)))


def _digest(what: Any, so_far: int) -> int:
    if isinstance(what, bytes | memoryview):
        return zlib.crc32(what, so_far)
    if isinstance(what, list | tuple):
        for each in what:
            so_far = _digest(each, so_far)
    return so_far
