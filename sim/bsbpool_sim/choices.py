"""What can be chosen, and who decides: where MPI or time leaves open what comes next, the simulator makes a `Choice`.

It takes one of its alternatives, by its index; index 0 is what happens by default. A `Strategy` decides. Those that
come along are in `default_strategies`, what a run took is a `tape`, and how a choice is made and kept is in `chooser`.

Who asks: the parts of `mpi` (which message, which request, who gets a window's lock), `matches` (which message, who is
next at a window), `kernel` (which event of one instant and turn), `script` (whether a possible fault strikes),
`python.locks` (which thread goes on). What MPI allows is theirs to know. What has an order at one instant whatever is
chosen is in `same_instant`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeGuard


class Kind(Enum):
    """What is chosen."""

    MESSAGE = "message"
    RECEIVER = "receiver"
    REQUEST = "request"
    LOCK = "lock"
    ACCESS = "access"
    EVENT = "event"
    FAULT = "fault"
    THREAD = "thread"


_QUESTIONS = {
    Kind.MESSAGE: "which message {call} of rank {who} takes",
    Kind.RECEIVER: "which rank's receive is matched first",
    Kind.REQUEST: "which request {call} of rank {who} ends",
    Kind.LOCK: "which rank gets the lock of rank {who}'s window",
    Kind.ACCESS: "which access of rank {who}'s window comes first",
    Kind.EVENT: "which event of one instant comes first",
    Kind.FAULT: "whether a fault strikes as rank {who} {call}s",
    Kind.THREAD: "which thread goes on at {call} of rank {who}",
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


class TooEarly(NamedTuple):
    """That a test or a probe that does not wait finds nothing, whatever is there."""

    def __str__(self) -> str:
        return "nothing yet"


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


class Accesses(NamedTuple):
    """The access of a window that comes first.

    :ivar rank: the rank that accesses another one's memory.
    :ivar call: the method.
    """

    rank: int
    call: str

    def __str__(self) -> str:
        return f"{self.call} by rank {self.rank}"


class ComesFirst(NamedTuple):
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


class GoesOn(NamedTuple):
    """The thread that gets a lock, or what was put into a queue.

    :ivar rank: the rank whose thread it is.
    :ivar thread: its name.
    """

    rank: int
    thread: str

    def __str__(self) -> str:
        return f"{self.thread} of rank {self.rank}"


Alternative = MessageFrom | Completed | TooEarly | Granted | Accesses | ComesFirst | Strikes | GoesOn


class Choice:
    """A point at which a run can go on in several ways. Its alternatives can be asked for while it is made.

    :param kind: what is chosen.
    :param number: its index among the choices of the run, from 0; a tape refers to it by this number.
    :param who: the rank that it is about, which receives or has the window; None: no single rank.
    :param call: the function that this rank calls, such as "recv"; "" if it calls none.
    :param count: the number of alternatives, 2 or more.
    :param list_them: returns the alternatives.
    :param where: returns file, line and function of the call.

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
        list_them: Callable[[], Iterable[Any]], where: Callable[[], str] = str,
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
        return self._where()

    @property
    def question(self) -> str:
        """What is chosen, in words."""
        return _QUESTIONS[self.kind].format(who=self.who, call=self.call)

    def __str__(self) -> str:
        return f"choice {self.number} ({self.question})"


# -- who decides -------------------------------------------------------------------------------------


class Strategy(Protocol):
    """Decides the choices that a tape says nothing of."""

    def pick(self, choice: Choice) -> int:
        """The index of the alternative to take."""


class Policy(Protocol):
    """Decides which event of one instant and turn comes first by numbers, before it is known which events these are.

    A strategy may be one as well: it numbers events, and picks in all other choices. One that only numbers takes what
    happens by default there.
    """

    def choose(self) -> float:
        """The number of the event that is now being scheduled: of those of one instant and turn, the smallest first."""


# `isinstance` of a protocol takes as long as a small simulation.


def is_strategy(given: object) -> TypeGuard[Strategy]:
    """Whether something is a strategy."""
    return callable(getattr(given, "pick", None))


def is_policy(given: object) -> TypeGuard[Policy]:
    """Whether something numbers events."""
    return callable(getattr(given, "choose", None))
