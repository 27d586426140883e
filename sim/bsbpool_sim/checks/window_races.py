"""Conflicting accesses to windows: two unordered accesses to the same bytes, at least one of which writes.

Two accesses are ordered as MPI defines it: the first one is completed, by the end of its epoch or a flush, and after
that the rank of the second one learns of it, directly or through other ranks, by a message, a collective call or an
exclusive lock. `knowledge` tracks what ranks know of each other.

`mpi/window_epochs` decides which accesses MPI allows at all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from .knowledge import Knowledge
from .violations import CallPlace, Violation
from .window_reads import WindowReads
from .window_uses import ANY, WatchedWindow, WindowUse

KIND = "rma-race"

#: Accesses to one rank's memory that are kept, to hold later ones against.
MOST = 2000
#: How many there are at least before those are looked for that nothing can conflict with any more.
_ROOM = 32


@dataclass
class _Seen:
    """An access that was seen.

    :ivar began: the moment at which it began.
    :ivar ended: the moment of its rank at which it has happened for all who know of that; None: not yet.
    """

    access: WindowUse
    origin: int
    place: CallPlace
    began: int
    ended: int | None = None


class WindowRaces:
    """Takes note of accesses, of what ends them, and of what ranks learn of each other.

    :param place: returns the line of the user's that calls MPI now; None if there is none.
    """

    def __init__(self, place: Callable[[], CallPlace | None]):
        self._place = place
        self._moment = 0
        self._knowledge = Knowledge()
        #: synchronous sends, and who receives them.
        self._receivers: list[tuple[object, int]] = []
        #: by window and rank, the accesses of its memory.
        self._seen: dict[tuple[WatchedWindow, int], list[_Seen]] = {}
        #: those of them that have not ended.
        self._under_way: dict[tuple[WatchedWindow, int], list[_Seen]] = {}
        #: how many accesses there may be until those that are over for all are dropped.
        self._room: dict[tuple[WatchedWindow, int], int] = {}
        #: by window, rank and epoch, its memory as it was at the beginning, with what accesses have changed.
        self._left: dict[tuple[WatchedWindow, int, int], bytearray] = {}
        #: by window, rank and epoch, since when others may access its memory.
        self._exposed: dict[tuple[WatchedWindow, int, int], int] = {}
        #: looks for who reads its own window; None: nobody asks.
        self.reads: WindowReads | None = None
        #: what was found, by the two lines.
        self.found: dict[tuple[str, int, str, int], Violation] = {}

    def _ordered(self, first: _Seen, origin: int, window: WatchedWindow) -> bool:
        """Whether what a rank does now comes after an access in every run."""
        if first.ended is None:
            return False
        ranks = window.members
        return first.origin == origin or self._knowledge.knows(ranks[origin], ranks[first.origin], first.ended)

    def _is_over(self, seen: _Seen, window: WatchedWindow, target: int) -> bool:
        """Whether what any rank does from now on comes after an access, also what the rank itself stores there."""
        if seen.ended is None or (window, target, seen.access.epoch) in self._left:
            return False
        return all(self._ordered(seen, rank, window) for rank in range(len(window.members)))

    def _now(self) -> int:
        self._moment += 1
        return self._moment

    # -- who learns what -----------------------------------------------------------------------------

    def _tell(self, by: Hashable, rank: int) -> None:
        if self.reads is None:
            self._knowledge.tell(by, rank)
            return
        moment = self._knowledge.mark(rank)
        self._knowledge.tell(by, rank)
        self.reads.told(rank, moment)

    def _hear(self, by: Hashable, rank: int, last: bool = False) -> None:
        self._knowledge.hear(by, rank, last)
        if self.reads is not None:
            self.reads.heard(rank, self._knowledge)

    def sent(self, message: Hashable, rank: int, dest: int, sync: object) -> None:
        """A rank of the simulation has sent a message to another one.

        :param sync: the request that ends when it is received; None: it is buffered.
        """
        self._tell(message, rank)
        if sync is not None:
            self._receivers.append((sync, dest))

    def received(self, message: Hashable, rank: int) -> None:
        """A rank of the simulation has received a message."""
        self._hear(message, rank, last=True)

    def ended_request(self, request: object, rank: int) -> None:
        """A request has ended: if it was a synchronous send, its rank knows that its receiver has come so far."""
        for place, (sync, receiver) in enumerate(self._receivers):
            if sync is request:
                if self.reads is not None:
                    self.reads.told(receiver, self._knowledge.mark(receiver))
                self._knowledge.learn(rank, receiver)
                if self.reads is not None:
                    self.reads.heard(rank, self._knowledge)
                del self._receivers[place]
                return

    def arrived(self, call: Hashable, rank: int) -> None:
        """A rank of the simulation has come to a collective call, or has told another one by Post or Complete."""
        self._tell(call, rank)

    def left(self, call: Hashable, rank: int) -> None:
        """A rank of the simulation has come out of a collective call, or has been told by Post or Complete."""
        self._hear(call, rank)

    def locked(self, window: WatchedWindow, origin: int, target: int, exclusive: bool) -> None:
        """A rank of the window has got the lock of another one's memory."""
        rank = window.members[origin]
        self._hear((window, target, "exclusive"), rank)
        if exclusive:
            self._hear((window, target, "shared"), rank)

    def unlocked(self, window: WatchedWindow, origin: int, target: int, exclusive: bool) -> None:
        """A rank of the window gives that lock back."""
        self._tell((window, target, "exclusive" if exclusive else "shared"), window.members[origin])

    def opened(self, window: WatchedWindow, rank: int) -> None:
        """A rank of the window has it from now on."""
        if self.reads is not None:
            self.reads.opened(window, rank)

    def synced(self, window: WatchedWindow, rank: int) -> None:
        """A rank of the window has called Sync."""
        if self.reads is not None:
            self.reads.synced(window, rank)

    # -- accesses ------------------------------------------------------------------------------------

    def ended(self, window: WatchedWindow, origin: int, target: int | None) -> None:
        """All accesses by `origin` of the memory of `target`, or (None) of all ranks, have happened."""
        now = self._knowledge.mark(window.members[origin])
        for rank in range(len(window.members)) if target is None else (target,):
            if under_way := self._under_way.get((window, rank)):
                for seen in under_way:
                    if seen.origin == origin:
                        seen.ended = now
                under_way[:] = [seen for seen in under_way if seen.ended is None]

    def accessed(self, window: WatchedWindow, origin: int, target: int, access: WindowUse) -> None:
        """A rank accesses the memory of another one."""
        place = self._place()
        if place is None or not access.ranges:
            return
        mine = _Seen(access, origin, place, self._now())
        all_seen = self._seen.setdefault((window, target), [])
        for other in all_seen:
            if other.origin == origin and other.ended is not None:
                continue  # ordered, which is asked at once of what most of them may be
            if conflict(other.access, access) and not self._ordered(other, origin, window):
                self._report(mine, other, window, target)
        all_seen.append(mine)
        self._under_way.setdefault((window, target), []).append(mine)
        if self.reads is not None and origin != target and not access.reads:
            ranks = window.members
            begins = self._knowledge.moment(ranks[origin], ranks[target])
            self.reads.wrote(window, origin, target, place, access.ranges, begins, lambda: mine.ended)
        if len(all_seen) > self._room.get((window, target), _ROOM):
            all_seen[:] = [seen for seen in all_seen if not self._is_over(seen, window, target)]
            self._room[window, target] = max(_ROOM, 2 * len(all_seen))
        if len(all_seen) > MOST:
            del all_seen[: MOST // 2]
        self._look_for_stores(window, target, access, place)

    def happens(self, window: WatchedWindow, target: int) -> None:
        """An access of the memory of a rank happens now."""
        if self.reads is not None:
            self.reads.show(window, target)

    def happened(self, window: WatchedWindow, target: int, ranges: Sequence[tuple[int, int]]) -> None:
        """An access has changed the memory of a rank."""
        memory = window.bytes_of(target)
        for (of, rank, _), left in self._left.items():
            if of is window and rank == target and memory is not None:
                for low, high in ranges:
                    left[low:high] = memory[low:high]
        if self.reads is not None:
            self.reads.hide(window, target)

    # -- what a rank itself stores into its window ---------------------------------------------------

    def exposed(self, window: WatchedWindow, rank: int, epoch: int) -> None:
        """From now on others may access the memory of a rank.

        :param epoch: the number of fences that were called then; 0: it is between Post and Wait.
        """
        memory = window.bytes_of(rank)
        if memory is not None:
            self._left[window, rank, epoch], self._exposed[window, rank, epoch] = bytearray(memory), self._now()

    def withdrawn(self, window: WatchedWindow, rank: int, epoch: int) -> None:
        """A rank ends an epoch: what it has stored meanwhile must be nowhere where others have accessed it.

        What it has stored stays known until the next epoch ends: others may still be in this one.
        """
        self._left.pop((window, rank, epoch - 1), None)
        left, memory = self._left.get((window, rank, epoch)), window.bytes_of(rank)
        if left is None or memory is None or left == memory:
            return
        since = self._exposed[window, rank, epoch]
        for seen in self._seen.get((window, rank), ()):
            in_it = seen.access.epoch == epoch and (epoch or seen.began > since)
            if in_it and _differ(left, memory, seen.access.ranges):
                self._report_store(seen.access, seen.place, window, rank)

    def _look_for_stores(self, window: WatchedWindow, target: int, access: WindowUse, place: CallPlace) -> None:
        left = None if access.epoch is None else self._left.get((window, target, access.epoch))
        memory = window.bytes_of(target)
        if left is not None and memory is not None and _differ(left, memory, access.ranges):
            self._report_store(access, place, window, target)

    # -- telling -------------------------------------------------------------------------------------

    def _report(self, mine: _Seen, other: _Seen, window: WatchedWindow, target: int) -> None:
        here, there = mine.place, other.place
        owner = window.members[target]
        what = (
            f"accesses rank {owner}'s window ({mine.access.call}) while rank {there.rank} accesses the same bytes "
            f"({other.access.call}, at {there.file}:{there.line})"
        )
        right = (
            "nothing says which comes first: put a fence, a flush with a message, or exclusive locks between them, or "
            "use Accumulate with one operation for both"
        )
        first, second = sorted(((here.file, here.line), (there.file, there.line)))
        self.found.setdefault((*first, *second), Violation(KIND, here, what, right))

    def _report_store(self, access: WindowUse, place: CallPlace, window: WatchedWindow, target: int) -> None:
        owner = window.members[target]
        what = f"accesses bytes of rank {owner}'s window ({access.call}) that rank {owner} itself changes meanwhile"
        right = f"nothing says which comes first: let rank {owner} change them before the epoch, or after it"
        self.found.setdefault((place.file, place.line, "", owner), Violation(KIND, place, what, right))


def conflict(one: WindowUse, other: WindowUse) -> bool:
    """Whether two accesses conflict if they are concurrent."""
    if one.reads and other.reads:
        return False
    if one.atomic and other.atomic and (one.atomic == other.atomic or ANY in (one.atomic, other.atomic)):
        return False
    return any(low < end and begin < high for low, high in one.ranges for begin, end in other.ranges)


def _differ(left: bytearray, memory: memoryview, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(left[low:high] != memory[low:high] for low, high in ranges)
