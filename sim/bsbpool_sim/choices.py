"""The tape of choices: where a run can go on in several ways, which way it takes, and how that is repeated.

A run is a program and a tape. Where MPI or time leaves open what comes next, the simulator makes a `Choice` and takes
one of its alternatives, by its index; index 0 is what happens by default. What comes from a given `Tape` is taken as it
says, the rest is decided by a `Strategy`. Only choices of two or more alternatives count: they are numbered from 0.

Who asks: `comm` and `matches` (which message), `requests` (which request), `window` (who gets a lock), `kernel` (which
event of one instant and turn), `script` (whether a possible fault strikes). What MPI allows is theirs to know. What has
an order at one instant whatever is chosen is in `instant`.
"""

from __future__ import annotations

import heapq
import itertools
import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from bsbpool.frames import file_of, outward, users_frame
from bsbpool.values import shown

from .errors import TapeError
from .streams import Random, stream

T = TypeVar("T")

#: An event of the kernel: when, turn (and its place there), sequence number, what is called, and with what.
KernelEvent = tuple[int, float, int, Callable[[Any], None] | None, Any]


class Kind(Enum):
    """What is chosen."""

    MESSAGE = "message"
    RECEIVER = "receiver"
    REQUEST = "request"
    LOCK = "lock"
    EVENT = "event"
    FAULT = "fault"


_QUESTIONS = {
    Kind.MESSAGE: "which message {call} of rank {who} takes",
    Kind.RECEIVER: "which rank's receive is matched first",
    Kind.REQUEST: "which request {call} of rank {who} ends",
    Kind.LOCK: "which rank gets the lock of rank {who}'s window",
    Kind.EVENT: "which event of one instant comes first",
    Kind.FAULT: "whether a fault strikes as rank {who} sends",
}


# -- what can be chosen ------------------------------------------------------------------------------


class MessageFrom(NamedTuple):
    """The message that a receive or a probe takes.

    :ivar source: the rank that sent it; of several of its messages, it is the first that fits.
    :ivar tag: the message's tag.
    """

    source: int
    tag: int

    def __str__(self) -> str:
        return f"the message of rank {self.source} with tag {self.tag}"


class Completed(NamedTuple):
    """The request that a call ends.

    :ivar request: its place in the list of requests; None: all that are done.
    """

    request: int | None

    def __str__(self) -> str:
        return "all that are done" if self.request is None else f"request {self.request}"


class Granted(NamedTuple):
    """The rank that gets a lock.

    :ivar rank: None: no rank yet, the first in the queue has to wait.
    :ivar exclusive: whether it gets an exclusive one.
    """

    rank: int | None
    exclusive: bool

    def __str__(self) -> str:
        if self.rank is None:
            return "nobody yet"
        return f"rank {self.rank}, {'an exclusive' if self.exclusive else 'a shared'} one"


class Event(NamedTuple):
    """The event that comes first.

    :ivar rank: the rank at which it happens; None: at none.
    :ivar what: what happens there.
    :ivar idle: whether nothing comes of it: the timer of a task that has been woken meanwhile.
    """

    rank: int | None
    what: str
    idle: bool = False

    def __str__(self) -> str:
        return self.what if self.rank is None else f"on rank {self.rank}: {self.what}"


class Strikes(NamedTuple):
    """Whether a fault that may happen does.

    :ivar what: the fault; None: it does not happen.
    """

    what: str | None

    def __str__(self) -> str:
        return self.what or "no fault"


Alternative = MessageFrom | Completed | Granted | Event | Strikes


class Choice:
    """A point at which a run can go on in several ways. Its alternatives can be asked for while it is made.

    :param kind: what is chosen.
    :param number: its index among the choices of the run, from 0; a tape refers to it by this number.
    :param who: the rank that it is about, which receives or has the window; None: no single rank.
    :param call: the function that this rank calls, such as "recv"; "" if it calls none.
    :param count: the number of alternatives, 2 or more.
    :param list_them: returns the alternatives.
    :param where: returns file, line and function of the call; None: the task that asks makes it.

    >>> from bsbpool_sim import Choice, simulate
    >>> class Last:
    ...     def pick(self, choice: Choice) -> int:
    ...         if choice.call:
    ...             print(choice, *choice.alternatives, sep="; ")
    ...         return choice.count - 1
    >>> def program(comm):
    ...     if comm.rank == 0:
    ...         return [comm.recv() for _ in range(2)]
    ...     comm.send(comm.rank, 0)
    >>> simulate(program, ranks=3, policy=Last()).results[0]
    choice 4 (which message recv of rank 0 takes); the message of rank 2 with tag 0; the message of rank 1 with tag 0
    [1, 2]
    """

    __slots__ = ("_list", "_where", "call", "count", "kind", "number", "who")

    def __init__(
        self, kind: Kind, number: int, who: int | None, call: str, count: int,
        list_them: Callable[[], Iterable[Any]], where: Callable[[], str] | None = None,
    ):  # fmt: skip
        self.kind = kind
        self.number = number
        self.who = who
        self.call = call
        self.count = count
        self._list = list_them
        self._where = where

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        """What can be chosen; the first is what happens by default."""
        return tuple(self._list())

    @property
    def where(self) -> str:
        """File, line and function of the program's call; "" where no rank calls anything."""
        if not self.call:
            return ""
        if self._where is not None:
            return self._where()
        frames = outward(sys._getframe(1))
        frame = users_frame(itertools.dropwhile(lambda frame: frame.f_code is not Chooser.index.__code__, frames))
        return "" if frame is None else f"{file_of(frame)}:{frame.f_lineno} in {frame.f_code.co_name}"

    @property
    def question(self) -> str:
        """What is chosen, in words."""
        return _QUESTIONS[self.kind].format(who=self.who, call=self.call)

    def __str__(self) -> str:
        return f"choice {self.number} ({self.question})"


# -- strategies --------------------------------------------------------------------------------------


@runtime_checkable
class Strategy(Protocol):
    """Decides the choices that a tape says nothing of."""

    def pick(self, choice: Choice) -> int:
        """The index of the alternative to take."""


@runtime_checkable
class Policy(Protocol):
    """Decides which event of one instant and turn comes first by numbers, before it is known which events these are.

    A strategy may be one as well: it numbers events, and picks in all other choices. One that only numbers takes what
    happens by default there.
    """

    def choose(self) -> float:
        """The number of the event that is now being scheduled: of those of one instant and turn, the smallest first."""


class InOrder:
    """What happens by default: events of one instant in the order in which they were scheduled, messages in that in
    which they arrived, requests in that of their list, locks in that in which they were asked for."""

    def pick(self, choice: Choice) -> int:
        """Pick the first alternative."""
        return 0


class Shuffled(InOrder):
    """Events of one instant and turn happen in an order drawn from the seed; all else happens by default."""

    def __init__(self, seed: int):
        self._random: Random = stream(seed, "order of simultaneous events")

    def choose(self) -> float:
        """Draw a number."""
        return self._random.random()


# -- tapes -------------------------------------------------------------------------------------------

_VERSION = "v1"
_TAPE = re.compile(r"v1:(?:\d+\.[1-9]\d*(?:,\d+\.[1-9]\d*)*)?", re.ASCII)
#: Longer numbers are none that a tape can have.
_DIGITS = 18


class Tape:
    """The alternatives that a run took, or is to take: those of index 0 are left out.

    ``str(tape)`` is short, such as ``v1:12.1,40.2``: alternative 1 in choice 12, and 2 in choice 40, where both counts
    begin with 0. `Tape.parse` reads it. Tapes with the same departures are equal.

    :param indices: the alternative of each choice, from the first one on.
    :raises TapeError: an index is not an integer, or is negative.
    :ivar departures: ``{choice: alternative}`` where that is not 0, in order.
    :ivar counts: the number of alternatives of each choice of the run that made it; empty if it was not recorded.

    >>> from bsbpool_sim import Tape
    >>> str(Tape([0, 2, 0, 1])), Tape.parse("v1:1.2,3.1").departures
    ('v1:1.2,3.1', {1: 2, 3: 1})
    """

    __slots__ = ("_length", "counts", "departures")

    def __init__(self, indices: Iterable[int] = ()):
        given = [*indices]
        if any(not isinstance(index, int) or index < 0 for index in given):
            raise TapeError(f"a tape holds indices of alternatives, from 0 on, not {shown(given)}")
        self.departures = {number: int(index) for number, index in enumerate(given) if index}
        self.counts: Sequence[int] = ()
        self._length = len(given)

    @classmethod
    def parse(cls, text: str) -> Tape:
        """Read a tape from its text.

        :param text: the text of a tape, as `str` gives it.
        :returns: the tape.
        :raises TapeError: it is not the text of a tape.
        """
        if _TAPE.fullmatch(text) is None:
            version = re.match(r"(v\d+):", text)
            if version is not None and version[1] != _VERSION:
                raise TapeError(f"the tape {shown(text)} has version {version[1]}, this simulator reads {_VERSION}")
            raise TapeError(
                f"{shown(text)} is no tape: one is v1: and then choice.alternative for each departure from the "
                "default, as v1:12.1,40.2"
            )
        tape, last = cls(), -1
        for item in text[len(_VERSION) + 1 :].split(",") if text != f"{_VERSION}:" else ():
            number, index = item.split(".")
            if len(number) > _DIGITS or len(index) > _DIGITS or int(number) <= last:
                raise TapeError(
                    f"{shown(text)} is no tape: its choices are numbers that grow: {shown(item)} does not fit"
                )
            last = int(number)
            tape.departures[last] = int(index)
        tape._length = last + 1
        return tape

    @classmethod
    def of(cls, tape: Tape | str | Iterable[int]) -> Tape:
        """Make a tape from what `simulate` accepts as one.

        :param tape: a tape, its text, or the indices of its alternatives.
        :returns: the tape.
        :raises TapeError: it is none of these.
        """
        return tape if isinstance(tape, Tape) else cls.parse(tape) if isinstance(tape, str) else cls(tape)

    @classmethod
    def _recorded(cls, departures: dict[int, int], counts: Sequence[int]) -> Tape:
        tape = cls()
        tape.departures, tape.counts, tape._length = departures, counts, len(counts)
        return tape

    def __len__(self) -> int:
        """For how many choices it says what to take."""
        return self._length

    def __getitem__(self, number: int) -> int:
        if not 0 <= number < self._length:
            raise IndexError(f"the tape has {self._length} choices, and no choice {number}")
        return self.departures.get(number, 0)

    def __str__(self) -> str:
        return f"{_VERSION}:" + ",".join(f"{number}.{index}" for number, index in self.departures.items())

    def __repr__(self) -> str:
        return f"<Tape {self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tape) and other.departures == self.departures

    def __hash__(self) -> int:
        return hash(tuple(self.departures.items()))


# -- a run that chooses ------------------------------------------------------------------------------


class Chooser:
    """Makes the choices of one run, and keeps them.

    :param tape: what to take first.
    :param strategy: decides the rest.
    :param fail: called with a `TapeError`, to give the run up; a task that calls it is never resumed.
    """

    def __init__(self, tape: Tape, strategy: Strategy | Policy, fail: Callable[[BaseException], None]):
        self._given = tape
        self._pick = strategy.pick if isinstance(strategy, Strategy) else InOrder().pick
        self._number_of_event = strategy.choose if isinstance(strategy, Policy) else None
        self._fail = fail
        #: whether the run is over: what `finally` blocks do then is no choice.
        self.closed = False
        self._counts = array("L")
        self._departures: dict[int, int] = {}

    @property
    def tape(self) -> Tape:
        """What was chosen so far."""
        return Tape._recorded(dict(self._departures), self._counts[:])

    def events(self, describe: Callable[[KernelEvent], Event]) -> Events:
        """What orders the kernel's events as this chooses."""
        return Events(self, self._number_of_event, describe)

    def one_of(
        self, kind: Kind, who: int | None, call: str, items: Sequence[T], text: Callable[[T], Alternative],
        where: Callable[[], str] | None = None,
    ) -> T:  # fmt: skip
        """One of some items: the first by default.

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
        """The index of one of some alternatives, two or more.

        :param list_them: gives them.
        :param default: decides in place of the strategy.
        """
        if self.closed:
            return 0
        number = len(self._counts)
        if number < len(self._given):
            index = self._given.departures.get(number, 0)
            if index >= count:
                choice = Choice(kind, number, who, call, count, list_them, where)
                why = f"takes alternative {index} in {choice}, which has {count}: {_listed(choice)}"
                self._stop(self._does_not_fit(why))
        elif default is not None:
            index = default()
        else:
            choice = Choice(kind, number, who, call, count, list_them, where)
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
        """After the run: the error that says that the tape names choices which did not come; None if all came."""
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


class _Group:
    """The events of one instant and turn, in the order in which they were scheduled."""

    __slots__ = ("events", "key", "numbered", "sequence")

    def __init__(self, key: tuple[int, int]):
        self.key = key
        self.events: list[KernelEvent] = []
        #: their sequence numbers.
        self.sequence: list[int] = []
        #: for a policy: a heap of its numbers, with the sequence numbers.
        self.numbered: list[tuple[float, int]] = []

    def take(self, index: int) -> KernelEvent:
        del self.sequence[index]
        return self.events.pop(index)

    def first(self) -> int:
        """The index of the event with the smallest number."""
        while True:
            sequence = heapq.heappop(self.numbered)[1]
            index = bisect_left(self.sequence, sequence)
            if index < len(self.sequence) and self.sequence[index] == sequence:
                return index


class Events:
    """The events to come of a run that chooses, in groups of one instant and turn.

    Each group has a place in the kernel's heap, where events with an order of their own stand as they are.
    """

    def __init__(self, chooser: Chooser, number: Callable[[], float] | None, describe: Callable[[KernelEvent], Event]):
        self._chooser = chooser
        self._number = number
        self._describe = describe
        self._groups: dict[tuple[int, int], _Group] = {}

    def add(self, heap: list[KernelEvent], event: KernelEvent, turn: int) -> None:
        """Schedule an event."""
        key = (event[0], turn)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key)
            heapq.heappush(heap, (*key, 0, None, group))
        group.events.append(event)
        group.sequence.append(event[2])
        if self._number is not None:
            heapq.heappush(group.numbered, (self._number(), event[2]))

    def pop(self, heap: list[KernelEvent]) -> KernelEvent:
        """Take the event that comes next out of the heap."""
        group = heap[0][4]
        if type(group) is not _Group:
            return heapq.heappop(heap)
        count = len(group.events)
        if count == 1:
            heapq.heappop(heap)
            del self._groups[group.key]
            return group.events[0]
        return group.take(
            self._chooser.index(
                Kind.EVENT, None, "", count,
                lambda: map(self._describe, group.events),
                None if self._number is None else group.first,
            )
        )  # fmt: skip

    def clear(self) -> None:
        """Forget all of them."""
        self._groups.clear()
