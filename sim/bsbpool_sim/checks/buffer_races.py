"""Accesses of a program to memory that MPI uses, before the request or the access to a window is complete.

Memory that an operation only reads may be read; memory that it writes may be neither read nor written. Writes are
detected by comparing the content of memory when the operation is complete. Reads are detected in a second run, in which
memory has other values until MPI has written it (see `undefined`): a correct program behaves the same in both runs.
"""

from __future__ import annotations

import bisect
import os
import zlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .undefined import Undefined
from .violations import CallPlace, Violation

KIND = "buffer-race"

_RIGHT = "before its wait, flush or fence nothing else may touch what it writes, or change what it reads"
_DETACH = "before Detach_buffer nothing else may touch it"
_APART = "the blocks of a buffer that MPI writes, and the parts of its datatype, must not share bytes"


class TrackedRequest(Protocol):
    """A request.

    :ivar over: whether its program was told that it is done, or has freed it.
    :ivar persistent: whether it can be started again.
    """

    over: bool
    persistent: bool


class Lease:
    """For how long an access to a window has the memory of its rank: until it is known to have happened.

    :ivar over: whether it is.
    """

    __slots__ = ("origin", "over", "target", "window")

    def __init__(self, window: Hashable, origin: int, target: int):
        self.window, self.origin, self.target, self.over = window, origin, target, False


class WatchedBuffer(Protocol):
    """A buffer."""

    map: Any

    def spans(self) -> list[tuple[int, int]]:
        """The addresses of its runs of bytes: the first of each, and the one behind its last, in order."""

    def content(self) -> bytes:
        """What is in it."""

    def replace(self, data: bytes) -> None:
        """Write into it."""


#: A buffer, and whether MPI writes into it.
Given = tuple[WatchedBuffer, bool]


@dataclass
class _Use:
    """Memory that MPI has.

    :ivar by: the request, or access, that has it.
    :ivar digest: of its content.
    :ivar before: its content, where it holds other values meanwhile.
    :ivar comes: what is to be written when MPI gives it back; None: somebody else does that.
    :ivar shared: whether it was said that it was given to MPI a second time, which may change it.
    """

    by: TrackedRequest | Lease
    memory: WatchedBuffer
    writes: bool
    digest: int
    place: CallPlace
    before: bytes | None
    comes: bytes | None = None
    shared: bool = False


class BufferRaces:
    """Takes note of memory that MPI has.

    :param place: returns the line of the user's that calls MPI now; None if there is none.
    :param note: takes a violation.
    :ivar undefined: what memory holds until MPI has written what comes; None: it keeps its content.
    """

    def __init__(self, place: Callable[[], CallPlace | None], note: Callable[[Violation], None]):
        self._place, self._note = place, note
        #: by rank.
        self._uses: dict[int, list[_Use]] = {}
        self.undefined: Undefined | None = None

    def begins(self, request: TrackedRequest, given: Iterable[Given], waits: bool = False) -> None:
        """A request gets memory, until it ends.

        :param waits: whether the call waits for that, so that only another thread can touch it.
        """
        place = self._place()
        if place is None:
            return
        others = [each for each in self._uses.get(place.rank, ()) if not each.by.over]
        given = [(memory, writes) for memory, writes in given if memory]
        self._look(place, given, others)
        self._uses[place.rank] = others + [self._use(request, each, place, waits) for each in given]

    def touches(self, given: Sequence[Given]) -> None:
        """A call that waits for its end gets memory."""
        place = self._place()
        if place is not None:
            self._look(place, given, self._uses.get(place.rank, ()))

    def accesses(self, lease: Lease, given: Sequence[Given]) -> None:
        """An access to a window gets memory, until it is known to have happened."""
        place = self._place()
        if place is None:
            return
        others = self._uses[place.rank] = [each for each in self._uses.get(place.rank, ()) if not each.by.over]
        self._look(place, given, others)
        others += [self._use(lease, each, place) for each in given]

    def _use(self, by: TrackedRequest | Lease, given: Given, place: CallPlace, waits: bool = False) -> _Use:
        memory, writes = given
        content, before = memory.content(), None
        if writes and not waits and self.undefined is not None:
            values = self.undefined.values(memory.map, content, place)
            if values is not None:
                memory.replace(values)
                content, before = values, content
        return _Use(by, memory, writes, zlib.crc32(content), place, before)

    def arrives(self, lease: Lease, rank: int, memory: WatchedBuffer, data: bytes) -> None:
        """What an access brings has come: it is there from now on, or when it is known to have happened."""
        for use in self._uses.get(rank, ()):
            if use.by is lease and use.memory is memory and use.before is not None:
                use.comes = data + use.before[len(data) :]
                return
            if use.by is lease and use.memory is memory:
                self._compare(use)
                memory.replace(data)
                use.digest = zlib.crc32(memory.content())
                return
        memory.replace(data)

    # -- its end -----------------------------------------------------------------------------------

    def ends(self, by: TrackedRequest | Lease, rank: int) -> None:
        """A request ends now, or the access of one: has anybody changed its memory meanwhile?"""
        self._give_back(rank, lambda use: use.by is by)

    def accessed(self, window: Hashable, origin: int, target: int | None, rank: int) -> None:
        """All accesses by `origin` to the memory of `target`, or (None) of all ranks, have happened.

        :param rank: the number of `origin` in the simulation.
        """
        self._give_back(
            rank,
            lambda use: (
                isinstance(use.by, Lease)
                and (use.by.window, use.by.origin) == (window, origin)
                and target in (None, use.by.target)
            ),
        )

    def _give_back(self, rank: int, which: Callable[[_Use], bool]) -> None:
        kept = []
        for use in self._uses.get(rank, ()):
            if not which(use):
                kept.append(use)
                continue
            if isinstance(use.by, Lease):
                use.by.over = True
            self._compare(use)
            for content in (use.before, use.comes):
                if content is not None:
                    use.memory.replace(content)
        self._uses[rank] = kept

    def _compare(self, use: _Use) -> None:
        """See that nobody has changed memory that MPI has."""
        if not use.shared and zlib.crc32(use.memory.content()) != use.digest:
            end, right = self._place(), _DETACH if use.place.name == "Attach_buffer" else _RIGHT
            if end is not None and end.line != use.place.line:
                elsewhere = "" if end.file == use.place.file else f" of {os.path.basename(end.file)}"
                right = f"it has it until line {end.line}{elsewhere}: {right}"
            self._race(use.place, f"changes memory while {use.place.name} has it", right)

    # -- what shares memory ------------------------------------------------------------------------

    def _look(self, place: CallPlace, given: Sequence[Given], others: Iterable[_Use]) -> None:
        """See whether memory that is given to MPI is elsewhere there."""
        spans = [memory.spans() for memory, _ in given]
        for number, (_, writes) in enumerate(given):
            if writes and shares_bytes(spans[number]):
                self._race(place, f"lets {place.name} write the same bytes twice", _APART)
            for other in range(number):
                if (writes or given[other][1]) and _overlap(spans[number], spans[other]):
                    self._race(place, f"gives the same memory to {place.name} twice")
        for use in others:
            theirs = None
            for mine, (_, writes) in zip(spans, given, strict=True):
                if writes or use.writes:
                    theirs = use.memory.spans() if theirs is None else theirs
                    if _overlap(mine, theirs):
                        use.shared = True
                        theirs_too = f"that {use.place.name} has, of line {use.place.line}"
                        self._race(place, f"gives memory to {place.name} {theirs_too}")
                        break

    def writes(self, runs: Sequence[tuple[int, int]]) -> None:
        """An access to a window writes these runs of bytes, which are in order."""
        if shares_bytes(runs) and (place := self._place()) is not None:
            self._race(place, f"lets {place.name} write the same bytes of a window twice", _APART)

    def _race(self, place: CallPlace, what: str, right: str = _RIGHT) -> None:
        self._note(Violation(KIND, place, what, right))


def shares_bytes(runs: Sequence[tuple[int, int]]) -> bool:
    """Whether two of these runs of bytes, which are in order, have one in common."""
    return len(runs) > 1 and any(runs[i][1] > runs[i + 1][0] for i in range(len(runs) - 1))


def _overlap(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
    """Whether runs of bytes have one in common; both are in order."""
    if not some or not others or some[-1][1] <= others[0][0] or others[-1][1] <= some[0][0]:
        return False
    ends = [end for _, end in others]
    for first, end in some:
        at = bisect.bisect_right(ends, first)
        if at < len(others) and others[at][0] < end:
            return True
    return False
