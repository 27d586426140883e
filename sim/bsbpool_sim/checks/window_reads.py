"""Reads of a rank's own window while other ranks write to it: when its memory is undefined, and its values then.

The interval is known from another run with the same choices: it begins after the last action of the owner that the
writer could know, and ends when the owner knows that the write has happened. In between the memory has other values,
which accesses do not see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .knowledge import Knowledge
from .violations import CallPlace
from .window_uses import WatchedWindow

#: Bytes that nobody expects; the second are negative numbers.
BYTES = (0x71, 0xF1)

#: Writes that are kept.
_MOST = 2000


@dataclass
class Write:
    """A write to a window of another rank.

    :ivar window: the number of the window; `target`: whose memory it is, there, and `owner`, in the simulation.
    :ivar origin: the rank of the simulation that writes, and `place` where.
    :ivar begins: the last moment of the owner that it knew of.
    :ivar ended: its moment at which it has happened; None: not yet.
    :ivar until: what the owner learned, as the how manieth thing, by which it knows that; None: nothing.
    """

    window: int
    target: int
    owner: int
    origin: int
    place: CallPlace
    ranges: Sequence[tuple[int, int]]
    begins: int
    ended: Callable[[], int | None]
    until: int | None = None


class WindowReads:
    """Takes note of writes, or has undefined what they write.

    :param plan: the writes of another run; None: takes note of them.
    :param byte: what undefined memory holds.
    """

    def __init__(self, plan: Sequence[Write] | None = None, byte: int = BYTES[0]):
        self._plan, self._byte = plan, byte
        self._windows: list[WatchedWindow] = []
        self._seen: list[Write] = []
        self._open: dict[int, list[Write]] = {}
        self._heard: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self._polled: set[tuple[int, int]] = set()
        #: of memory that is undefined: what it holds in truth, and by what it is written.
        self._true: dict[tuple[int, int], tuple[bytearray, list[Write]]] = {}

    @property
    def writes(self) -> list[Write]:
        """Those of which note was taken, but of memory that its owner looks at again and again until it changes."""
        return [each for each in self._seen if (each.window, each.target) not in self._polled]

    def _number(self, window: WatchedWindow) -> int:
        for number, each in enumerate(self._windows):
            if each is window:
                return number
        self._windows.append(window)
        return len(self._windows) - 1

    # -- what happens ------------------------------------------------------------------------------

    def opened(self, window: WatchedWindow, rank: int) -> None:
        """A rank of the window has it from now on."""
        number = self._number(window)
        for write in self._plan or ():
            if (write.window, write.target) == (number, rank) and write.begins <= self._told.get(write.owner, 0):
                self._begin(write)

    def synced(self, window: WatchedWindow, rank: int) -> None:
        """A rank of the window has called Sync, to see what others have written."""
        self._polled.add((self._number(window), rank))

    def wrote(
        self, window: WatchedWindow, origin: int, target: int, place: CallPlace, ranges: Sequence[tuple[int, int]],
        begins: int, ended: Callable[[], int | None],
    ) -> None:  # fmt: skip
        """A rank of the window writes to the memory of another one."""
        if self._plan is None and len(self._seen) < _MOST and window.bytes_of(target) is not None:
            ranks = window.members
            write = Write(
                self._number(window), target, ranks[target], ranks[origin], place, tuple(ranges), begins, ended
            )
            self._seen.append(write)
            self._open.setdefault(ranks[target], []).append(write)

    def told(self, rank: int, moment: int) -> None:
        """A rank of the simulation tells what it knows, at a moment of its own."""
        self._told[rank] = moment
        for write in self._plan or ():
            if (write.owner, write.begins) == (rank, moment) and write.window < len(self._windows):
                self._begin(write)

    def heard(self, rank: int, knowledge: Knowledge) -> None:
        """A rank of the simulation has learned something."""
        count = self._heard[rank] = self._heard.get(rank, 0) + 1
        if self._plan is not None:
            for key, (_, active) in [*self._true.items()]:
                for write in [each for each in active if (each.owner, each.until) == (rank, count)]:
                    self._end(key, write)
            return
        left = []
        for write in self._open.get(rank, ()):
            ended = write.ended()
            if ended is not None and knowledge.knows(rank, write.origin, ended):
                write.until = count
            else:
                left.append(write)
        self._open[rank] = left

    # -- memory ------------------------------------------------------------------------------------

    def _begin(self, write: Write) -> None:
        memory = self._windows[write.window].bytes_of(write.target)
        if memory is None or (write.until is not None and write.until <= self._heard.get(write.owner, 0)):
            return
        key = write.window, write.target
        self._show(key)
        _, active = self._true.setdefault(key, (bytearray(memory), []))
        active.append(write)
        self._hide(key)

    def _end(self, key: tuple[int, int], write: Write) -> None:
        self._show(key)
        self._true[key][1].remove(write)
        self._hide(key)

    def show(self, window: WatchedWindow, target: int) -> None:
        """An access is about to happen: memory holds what it holds in truth."""
        self._show((self._number(window), target))

    def hide(self, window: WatchedWindow, target: int) -> None:
        """An access has happened."""
        self._hide((self._number(window), target))

    def _show(self, key: tuple[int, int]) -> None:
        memory, (true, active) = self._windows[key[0]].bytes_of(key[1]), self._true.get(key, (b"", ()))
        for write in active:
            for low, high in write.ranges:
                if memory is not None:
                    memory[low:high] = true[low:high]

    def _hide(self, key: tuple[int, int]) -> None:
        if key not in self._true:
            return
        memory, (true, active) = self._windows[key[0]].bytes_of(key[1]), self._true[key]
        if memory is None:
            return
        for write in active:
            for low, high in write.ranges:
                true[low:high] = memory[low:high]
        for write in active:
            for low, high in write.ranges:
                memory[low:high] = bytes([self._byte]) * (high - low)
