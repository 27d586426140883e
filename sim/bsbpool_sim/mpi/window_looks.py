"""Looks at a window in a loop: a rank that reads the same again and again waits for another rank to change it.

The first looks at one instant take no virtual time, since most programs read what they go on with. From then on each
takes some, or the others would never run.
"""

from __future__ import annotations

from collections.abc import Hashable

from ..kernel import Kernel

#: So many looks in a row that find nothing new take no time.
FREE = 1000
#: Virtual nanoseconds that each further one takes at least.
LEAST = 1000
#: They take a thousandth of the time for which the rank has looked: an hour is over after some ten thousand looks.
SHARE = 1000
#: What is compared with earlier looks: so many bytes at most, and of so many places.
MOST_BYTES, MOST_PLACES = 4096, 1000


class WindowLooks:
    """What one rank has found in a window since it found anything new, and since time went on."""

    def __init__(self, kernel: Kernel):
        self._kernel = kernel
        self._found: set[Hashable] = set()
        self._count = 0
        self._since = self._at = -1

    def found(self, place: Hashable, data: bytes) -> None:
        """The running task has found something in the window; if that is nothing new again, time passes.

        :param place: what it has looked at.
        """
        now = self._kernel.now
        if now != self._at or len(data) > MOST_BYTES:
            self._anew(now)
        if len(data) > MOST_BYTES:
            return
        if (place, data) not in self._found:
            if self._count or len(self._found) >= MOST_PLACES:
                self._anew(now)
            self._found.add((place, data))
            return
        self._count += 1
        if self._count >= FREE:
            later = now + max(LEAST, (now - self._since) // SHARE)
            self._kernel.park("a later time: it looks at a window in a loop", later)
            self._at = self._kernel.now

    def _anew(self, now: int) -> None:
        self._found.clear()
        self._count, self._since, self._at = 0, now, now
