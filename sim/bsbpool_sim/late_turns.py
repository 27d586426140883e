"""Late turns at windows: time set aside, so that each rank that could be next at a memory, or its lock, is a choice.

Who asks for a lock, or for an access that happens as a whole and has to do with others, gets it when nothing else can
run: then all who could come before it have asked, whatever takes how long. What follows of other accesses is the same
in any order, or undefined, and then `checks.window_races` says so. `matches` decides who is next; which ranks may hold
a lock at one time is in `mpi.window_locks`.

Who asks again and again for what it had, while nothing was changed, waits in a loop until something is. It lets all
others go first, as who tests or probes in a loop does: that it looks any number of times is not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

from .choices import Alternative, Kind
from .tasks import Task

#: How many times in a row a rank may find nothing changed, and be next again before others were.
LOOKS = 3

#: After how many steps it is next nevertheless: others may go on and on, such as a thread that sleeps in a loop.
MOST_STEPS = 100


class Use(NamedTuple):
    """What a turn is for.

    :ivar low: the first byte that it has to do with; of a lock, 0.
    :ivar high: the byte behind the last; of a lock, 1.
    :ivar alike: uses for which this is the same may come in any order; None: no others.
    """

    low: int
    high: int
    alike: Hashable

    def conflicts(self, other: Use) -> bool:
        """Whether it matters which of two comes first."""
        apart = self.high <= other.low or other.high <= self.low
        return not (apart or (self.alike is not None and self.alike == other.alike))


class Asked:
    """A rank that waits for its turn, an access of it that does, or a thread.

    :param source: the rank of the simulation; of a thread, a number of its own.
    :param text: it, as one of those that can be chosen.
    :param act: what happens when it has its turn.
    :param task: the thread.
    :ivar rank: the rank of the simulation.
    :ivar since: how many steps were decided when it asked.
    """

    __slots__ = ("act", "rank", "since", "source", "task", "text", "use")

    def __init__(
        self, source: int, use: Any, text: Alternative, act: Callable[[], object], task: Task | None = None
    ):  # fmt: skip
        self.source, self.use, self.text, self.act = source, use, text, act
        self.task = task
        self.rank = source if task is None else task.rank.index
        self.since = 0


class Late(Protocol):
    """Decides late: `matches.LateMatching` does.

    :ivar decided: how many steps were decided.
    :ivar progress: how many of these were not that somebody finds nothing.
    :ivar withheld: whether somebody was not next since it had found nothing changed.
    """

    decided: int
    progress: int
    withheld: bool

    def new_place(self) -> int:
        """Return a negative number that no other place has."""

    def asks(self, turns: LateTurns, asked: Asked) -> None:
        """A rank asks for its turn at a place."""

    def forgets(self, turns: LateTurns, asked: Asked) -> None:
        """Somebody asks no more."""

    def is_dead(self, rank: int) -> bool:
        """Whether a rank of the simulation is dead."""


class LateTurns:
    """The turns at one rank's memory, or at its lock.

    :param owner: the rank of the simulation whose memory it is.
    :param kind: what is chosen there.
    :param free: whether a use is possible now; without it, each is at any time.
    :param version: returns how many times the memory was changed.
    :ivar rank: stands for it where others are told by their ranks: a negative number.
    :ivar number: how many turns there were.
    """

    def __init__(
        self, late: Late, owner: int, kind: Kind, version: Callable[[], int], free: Callable[[Any], bool] | None = None
    ):
        self.owner, self.kind = owner, kind
        #: what is asked for, in choices of threads.
        self.call = ""
        self.rank = late.new_place()
        self.number = 0
        #: those who wait, in the order in which they asked.
        self.asked: list[Asked] = []
        self._late, self._version, self._free = late, version, free
        #: how many steps were decided when a lock was given back that was held for a use.
        self._freed: dict[Any, int] = {}
        #: by rank: for what it had its last turn, the version that it left, and how many turns in a row had that.
        self._left: dict[int, tuple[Use, int, int]] = {}

    def ask(self, asked: Asked) -> None:
        """A rank asks for its turn, which comes when it is decided."""
        asked.since = self._late.decided
        self.asked.append(asked)
        self._late.asks(self, asked)

    def freed(self, rank: int, use: Use) -> None:
        """A rank has used what it had its turn for; others may be possible from now on."""
        if self._free is not None:
            self._freed[use] = self._late.decided
        version = self._version()
        before = self._left.get(rank)
        times = before[2] + 1 if before is not None and before[:2] == (use, version) else 1
        self._left[rank] = use, version, times

    def since(self, asked: Asked) -> int:
        """How many steps were decided when nobody held any more what one who asks could not have meanwhile."""
        return max((decided for use, decided in self._freed.items() if use.conflicts(asked.use)), default=0)

    def undecided(self, again: bool) -> list[Asked]:
        """Those of whom any can be next, of each rank the first; those on whom no other one depends come before others.

        :param again: whether they may be such that have found nothing changed for so many times.
        """
        there = [each for each in self.asked if not self._late.is_dead(each.rank)]
        firsts = {each.source: each for each in reversed(there) if each.task is None or each.task.ended_at is None}
        able = [each for each in self.asked if firsts.get(each.source) is each]
        if self._free is not None:
            able = [each for each in able if self._free(each.use)]
        if not again:
            able = [each for each in able if not self._waits_for_change(each)]
        return sorted(able, key=self.matters)

    def matters(self, asked: Asked) -> bool:
        """Whether it matters who comes first, one who asks or another one that is there."""
        return any(asked.use.conflicts(each.use) for each in self.asked if each is not asked)

    def _waits_for_change(self, asked: Asked) -> bool:
        left = self._left.get(asked.source)
        waits = left is not None and left[:2] == (asked.use, self._version()) and left[2] >= LOOKS
        self._late.withheld = self._late.withheld or waits
        return waits and self._late.decided - asked.since <= MOST_STEPS

    def held_back(self, taken: Asked) -> bool:
        """Whether one who waits for a lock that others hold could have had it before `taken`, if these had gone on."""
        return self._free is not None and any(
            each is not taken and each.use.conflicts(taken.use) and not self._free(each.use) for each in self.asked
        )

    def take(self, asked: Asked) -> None:
        """It was decided whose turn it is."""
        self.asked.remove(asked)
        self.number += 1
        asked.act()
        if self._free is None:
            self.freed(asked.source, asked.use)

    def could_take(self, taken: Asked, asked: Any) -> bool:
        """Whether it matters that `asked` did not come before `taken`."""
        return isinstance(asked, Asked) and taken.use.conflicts(asked.use)
