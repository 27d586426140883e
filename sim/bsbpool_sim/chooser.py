"""Makes the choices of one run: the tape decides first, then the strategy. They are recorded as the run's tape.

Only choices with two or more alternatives count: they are numbered from 0. For events of one instant and turn, `Events`
contains the alternatives, in place of the kernel's heap.
"""

from __future__ import annotations

import heapq
import itertools
import operator
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from bsbpool.frames import file_of, is_own, outward, users_frame
from bsbpool.values import shown

from .choices import Alternative, Choice, ComesFirst, Kind, Policy, Strategy, is_policy, is_strategy
from .default_strategies import InOrder
from .errors import TapeError
from .tape import Tape, tape_of_run

T = TypeVar("T")

#: An event of the kernel: when, turn (and its place there), sequence number, what is called, and with what.
KernelEvent = tuple[int, float, int, Callable[[Any], None] | None, Any]


class Chooser:
    """Makes the choices of one run, and records them.

    :param tape: what to take first.
    :param strategy: decides the rest.
    :param fail: called with a `TapeError`, to give the run up; a task that calls it is never resumed.
    """

    def __init__(self, tape: Tape, strategy: Strategy | Policy, fail: Callable[[BaseException], None]):
        self._given = tape
        self._pick = strategy.pick if is_strategy(strategy) else InOrder().pick
        self._number_of_event = strategy.choose if is_policy(strategy) else None
        self._fail = fail
        #: whether the run is over: what `finally` blocks do then is no choice.
        self.closed = False
        self._counts = array("L")
        self._departures: dict[int, int] = {}

    @property
    def tape(self) -> Tape:
        """What was chosen so far."""
        return tape_of_run(dict(self._departures), self._counts[:])

    def events(self, describe: Callable[[KernelEvent], ComesFirst]) -> Events:
        """Return the queue that orders the kernel's events by these choices."""
        return Events(self, self._number_of_event, describe)

    def one_of(
        self, kind: Kind, who: int | None, call: str, items: Sequence[T], text: Callable[[T], Alternative],
        where: Callable[[], str] | None = None,
    ) -> T:  # fmt: skip
        """Choose one of some items; the default is the first.

        :param text: what an item is as an alternative.
        :param where: gives the place of the call, where it is not the task of that rank that asks.
        """
        if len(items) == 1:
            return items[0]
        return items[self.index(kind, who, call, len(items), lambda: map(text, items), where=where)]

    def index(
        self, kind: Kind, who: int | None, call: str, count: int, list_them: Callable[[], Iterable[Alternative]],
        default: Callable[[], int] | None = None, where: Callable[[], str] | None = None,
    ) -> int:  # fmt: skip
        """Choose among two or more alternatives, and return the index.

        :param list_them: gives them.
        :param default: decides in place of the strategy.
        """
        if self.closed:
            return 0
        number = len(self._counts)
        if number < len(self._given):
            index = self._given.departures.get(number, 0)
            if index >= count:
                choice = Choice(kind, number, who, call, count, list_them, where or _place_of_call)
                why = f"takes alternative {index} in {choice}, which has {count}: {_listed(choice)}"
                self._stop(self._does_not_fit(why))
        elif default is not None:
            index = default()
        else:
            choice = Choice(kind, number, who, call, count, list_them, where or _place_of_call)
            picked = self._pick(choice)
            if not isinstance(picked, int) or not 0 <= picked < count:
                right = f"it must be an index from 0 to {count - 1}"
                self._stop(ValueError(f"the strategy picked {picked!r} in {choice}: {right}"))
            index = int(picked)
        self._counts.append(count)
        if index:
            self._departures[number] = index
        return index

    def misfit(self) -> TapeError | None:
        """Return, after the run, the error for a tape that names choices which did not come; None if all came."""
        made = len(self._counts)
        left = [number for number in self._given.departures if number >= made]
        return self._does_not_fit(f"names choice {left[0]}, and this run has made {made}") if left else None

    def _does_not_fit(self, why: str) -> TapeError:
        return TapeError(
            f"the tape {shown(str(self._given))} does not fit: it {why}. It is of another program, of other arguments, "
            "or of another version"
        )

    def _stop(self, error: Exception) -> None:
        self._fail(error)
        raise error


def _listed(choice: Choice) -> str:
    texts = [str(each) for each in choice.alternatives]
    return "; ".join(texts[:5]) + (f"; and {len(texts) - 5} more" if len(texts) > 5 else "")


def _place_of_call() -> str:
    """Where the task that is asking now calls what leaves the choice."""
    frames = outward(sys._getframe(1))
    frame = users_frame(itertools.dropwhile(lambda frame: frame.f_code is not Chooser.index.__code__, frames))
    return "" if frame is None or is_own(frame) else f"{file_of(frame)}:{frame.f_lineno} in {frame.f_code.co_name}"


_sequence_of = operator.itemgetter(2)


class _Group:
    """The events of one instant and turn, in the order in which they were scheduled."""

    __slots__ = ("events", "key", "numbered")

    def __init__(self, key: tuple[int, int]):
        self.key = key
        self.events: list[KernelEvent] = []
        #: for a policy: a heap of its numbers, with the sequence numbers.
        self.numbered: list[tuple[float, int]] = []

    def first(self) -> int:
        """The index of the event with the smallest number."""
        while True:
            sequence = heapq.heappop(self.numbered)[1]
            index = bisect_left(self.events, sequence, key=_sequence_of)
            if index < len(self.events) and _sequence_of(self.events[index]) == sequence:
                return index


class EventObserver(Protocol):
    """Interface of an observer that is told which event comes next, and among which events it was chosen."""

    def among(self, when: int, turn: int, events: Sequence[KernelEvent]) -> None:
        """Called before one of some events of one instant and turn is chosen."""

    def goes(self, event: KernelEvent, turn: int, alone: bool) -> None:
        """Called before an event happens; `alone`: there was no other to choose from."""


class Events:
    """The future events of a run with choices, in groups of one instant and turn.

    Each group has a place in the kernel's heap, where events with an order of their own stand as they are.
    """

    def __init__(
        self, chooser: Chooser, number: Callable[[], float] | None, describe: Callable[[KernelEvent], ComesFirst]
    ):
        self._chooser = chooser
        self._number = number
        self._describe = describe
        self._groups: dict[tuple[int, int], _Group] = {}
        #: told of each event before it goes; None: nobody wants to know.
        self.observer: EventObserver | None = None

    def add(self, heap: list[KernelEvent], event: KernelEvent, turn: int) -> None:
        """Schedule an event."""
        key = (event[0], turn)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key)
            heapq.heappush(heap, (*key, 0, None, group))
        group.events.append(event)
        if self._number is not None:
            heapq.heappush(group.numbered, (self._number(), event[2]))

    def pop(self, heap: list[KernelEvent]) -> KernelEvent:
        """Remove the next event from the heap, and return it."""
        if self.observer is not None:
            return self._observed(heap, self.observer)
        return self._pop(heap)

    def _observed(self, heap: list[KernelEvent], observer: EventObserver) -> KernelEvent:
        first = heap[0]
        group = first[4]
        several = type(group) is _Group and len(group.events) > 1
        if several:
            observer.among(first[0], int(first[1]), group.events)
        event = self._pop(heap)
        observer.goes(event, int(first[1]), not several)
        return event

    def _pop(self, heap: list[KernelEvent]) -> KernelEvent:
        group = heap[0][4]
        if type(group) is not _Group:
            return heapq.heappop(heap)
        count = len(group.events)
        if count == 1:
            heapq.heappop(heap)
            del self._groups[group.key]
            return group.events[0]
        return group.events.pop(
            self._chooser.index(
                Kind.EVENT, None, "", count,
                lambda: map(self._describe, group.events),
                None if self._number is None else group.first,
            )
        )  # fmt: skip

    def clear(self) -> None:
        """Forget all events."""
        self._groups.clear()
