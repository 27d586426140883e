"""Late matching: a receive from any rank waits until nothing else can run. Then each message that could match it is an
alternative.

A receive or a probe from any rank is not matched when a message is there, but when nothing else can run: then all
messages that could reach it before it goes on have arrived, whatever takes how long. What may be matched with what is
MPI's rule, as in `mailbox`; the mailboxes where they wait are in `late_mailbox`. Turns at windows are decided late in
the same way; they are in `late_turns`. What is chosen, and by whom, is in `choices`. Pools are not matched late: their
messages come in time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .choices import Alternative, ComesFirst, GoesOn, Kind
from .chooser import Chooser
from .kernel import Kernel, Rank
from .late_mailbox import Begun, LateMessageQueue, Sent
from .late_turns import Asked, LateTurns
from .looks import TOO_EARLY, Look, Looks
from .mailbox import Posted
from .thread_turns import OfThreads, ThreadOperation

#: How many times in a row time may go on, since somebody sleeps, before something is decided: nobody waits for one who
#: sleeps again and again.
PATIENCE = 1000

#: Of those who look on and on while nothing else goes on, after how many looks a wait with a limit ends by it.
LONG = 100


class Ready(NamedTuple):
    """A receive or probe from any rank that can be matched now, a call that ends one of several requests, a look, or a
    turn.

    :ivar place: where it waits, or where the turn is; None: it ends requests, or looks.
    :ivar receive: what waits; None: it is a turn.
    :ivar messages: the messages that it may take, or what it may end; or whose turn it may be.
    :ivar rank: the rank of the simulation that receives; what stands for the place of turns.
    :ivar number: which of this rank's receives and probes from any rank it is, in the order in which they began; which
        turn.
    :ivar since: the number of steps that were decided before it began; of turns, `LateTurns.since` tells it.
    :ivar sources: the ranks of the simulation whose messages it may take, or that ask; numbers of what it may end.
    """

    place: LateMessageQueue | LateTurns | None
    receive: Posted | LateEnding | Look | None
    messages: Sequence[Any]
    rank: int
    number: int
    since: int
    sources: tuple[int, ...]

    @property
    def kind(self) -> Kind:
        """The kind of choice by which one of its messages is taken."""
        if isinstance(self.place, LateTurns):
            return self.place.kind
        return self.receive.kind if isinstance(self.receive, Look | LateEnding) else Kind.MESSAGE


def number_of_ends(item: Any) -> int:
    """Return a number for what a call may end: the place of a request; of several, another one for each set of them."""
    return item if isinstance(item, int) else -1 - sum(1 << place for place in item)


class LateEnding:
    """A call that ends one of several requests, at least one of which is done. Which one it ends is chosen late.

    :param done: returns what it may end: each time more, perhaps.
    :param text: what that is as an alternative.
    :ivar ended: what it ends.
    """

    kind = Kind.REQUEST

    def __init__(
        self, kernel: Kernel, call: str, done: Callable[[], Sequence[Any]], text: Callable[[Any], Alternative],
        number: int, since: int,
    ):  # fmt: skip
        self.call = call
        self.done = done
        self.text = text
        self.number = number
        self.since = since
        self.ended: Any = None
        self.task = kernel.task
        self._kernel = kernel

    def key(self, item: Any) -> int:
        """A number for what the call may end."""
        return number_of_ends(item)

    def end(self, item: Any) -> None:
        """Set the request that the call ends."""
        self.ended = item
        self._kernel.wake(self.task)


class LateMatching:
    """Matches receives from any rank when nothing else can run.

    :param kernel: asks it then.
    """

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        #: how many matches and turns were decided; and how many of these were not that somebody finds nothing.
        self.decided = self.progress = 0
        #: tests and probes that do not wait.
        self.looks = Looks(kernel, self)
        #: turns of threads.
        self.threads = OfThreads(self)
        #: called when somebody is where it was, and could have found something there.
        self.on_repeat: Callable[[], None] = _nothing
        #: whether nobody waited for one who slept again and again; how often time went on since the last step;
        #: and how often somebody looked again since nothing else went on.
        self.hurried = False
        self._passed = self._rounds = 0
        #: whether somebody was not next at a window since it had found nothing changed.
        self.withheld = False
        #: called with all that can be decided, before it is chosen which is.
        self.on_step: Callable[[list[Ready]], None] | None = None
        #: the messages that were sent, and those who asked for a turn; None: nobody wants to know.
        self.sent: list[Sent] | None = None
        #: whether somebody waits for, or looks at, what others complete: that depends on what was decided before.
        self.polled = False
        #: where somebody waits for a message from any rank, in the order in which that began.
        self._waiting: dict[LateMessageQueue, None] = {}
        #: those who wait for a turn, in the order in which they asked, and where.
        self._asked: dict[Asked, LateTurns] = {}
        #: how many places of turns there are.
        self._places = 0
        #: how many receives and probes from any rank each rank has begun.
        self._numbers: dict[int, int] = {}
        #: calls that end one of some requests, or look.
        self._endings: list[LateEnding | Look] = []
        kernel.when_later = self._before

    def dissolve(self) -> None:
        """Drop the references to what refers to this, once the run is over: what it has noted stays."""
        self._waiting.clear()
        self._asked.clear()
        self._endings.clear()
        self.looks.dissolve()
        self.threads.dissolve()

    def add(self, mailbox: LateMessageQueue, receive: Posted) -> Begun:
        """Note that a receive or probe from any rank begins to wait in this mailbox."""
        self._waiting[mailbox] = None
        return Begun(receive, self._number(mailbox.rank), self.decided)

    def new_place(self) -> int:
        """A number that stands for a place of turns: a negative one, which no rank has."""
        self._places += 1
        return -1 - self._places  # -1 stands for choices of no rank

    def asks(self, turns: LateTurns, asked: Asked) -> None:
        """A rank asks for its turn at this place."""
        self._asked[asked] = turns
        if asked.task is None or asked.use is ThreadOperation.PUT:  # else it is known by its variables
            self.looks.happened(asked.rank)
        if self.sent is not None:
            self.sent.append(Sent(turns, asked, asked.source, self.decided))

    def forgets(self, turns: LateTurns, asked: Asked) -> None:
        """Somebody asks no more."""
        self._asked.pop(asked, None)
        if asked in turns.asked:
            turns.asked.remove(asked)

    def is_dead(self, rank: int) -> bool:
        """Whether a rank of the simulation is dead."""
        return self.kernel.ranks[rank].dead_at is not None

    def _number(self, rank: int) -> int:
        number = self._numbers.get(rank, 0)
        self._numbers[rank] = number + 1
        return number

    def one_done(
        self, call: str, done: Callable[[], Sequence[Any]], text: Callable[[Any], Alternative], others: bool
    ) -> Any:
        """Let the running task wait until it is chosen which of the requests that are done its call ends.

        :param done: returns what it may end, of which there is something.
        :param text: what that is as an alternative.
        :param others: whether anything but a message may make more of it.
        """
        self.polled = self.polled or others
        number = self._number(self.kernel.task.rank.index)
        ending = LateEnding(self.kernel, call, done, text, number, self.decided)
        self._endings.append(ending)
        self.kernel.park(f"{call} to end one of its requests")
        return ending.ended

    def begins(self, look: Look) -> None:
        """A look begins to wait."""
        look.number, look.since = self._number(look.task.rank.index), self.decided
        self._endings.append(look)

    def gives_up(self, look: Look) -> None:
        """A look waits no longer."""
        self._endings.remove(look)

    def ending(self) -> list[Rank]:
        """Return the ranks whose calls wait to end one of several requests."""
        return [ending.task.rank for ending in self._endings if not isinstance(ending, Look)]

    def looking(self, rank: int) -> list[Look]:
        """Return the tests and probes of a rank that wait until it is decided what they find."""
        return [each for each in self._endings if isinstance(each, Look) and each.task.rank.index == rank]

    def pending(self, rank: int) -> list[tuple[LateMessageQueue, Posted, int]]:
        """Return the receives and probes from any rank that wait at a rank, with the number of each."""
        return [
            (mailbox, begun.receive, begun.number)
            for mailbox in self._waiting
            if mailbox.rank == rank
            for begun in mailbox.begun
        ]

    def _before(self, later: int) -> bool:
        """Time goes on to a later one. Return whether something was decided first, since somebody sleeps on and on."""
        self.looks.before(later)
        self._passed += 1
        if self._passed <= PATIENCE:
            return False
        self.hurried = True
        return self._decide(self._ready())

    def decide(self) -> bool:
        """Match one receive, or give one turn, since nothing else can run. Return whether anything can run now."""
        if self._decide(self._others()) or self.threads.time_out(self.kernel.now):
            return True
        if self.looks.in_vain():
            return self._decide(self._turns(again=True)) or self.threads.time_out(None)
        # Only those are left who look on and on: nobody keeps others of them from looking, nor from giving up.
        self._rounds += 1
        if self._rounds % LONG == 0 and self.threads.time_out(None):
            return True
        if self._rounds % 2 and self.looks.call_all():
            return True
        return self._decide(self._turns(again=True)) or self.looks.call_all() or self.threads.time_out(None)

    def _decide(self, ready: list[Ready]) -> bool:
        self._passed = 0
        if self.looks.repeated:
            self.on_repeat()
        if ready:
            self._decide_one(ready)
        return bool(ready)

    def is_open(self) -> bool:
        """Whether something can be decided, after which somebody goes on."""
        return bool(self._ready())

    def _ready(self) -> list[Ready]:
        """What can be decided."""
        return self._others() or self._turns(again=True)

    def _others(self) -> list[Ready]:
        """The same, without the turns of those who found nothing changed."""
        ready: list[Ready] = []
        for mailbox in [*self._waiting]:
            if not mailbox.begun or self.is_dead(mailbox.rank):
                del self._waiting[mailbox]
                continue
            for begun, messages in mailbox.undecided():
                sources = mailbox.sources(messages)
                ready.append(Ready(mailbox, begun[0], messages, mailbox.rank, begun.number, begun.since, sources))
        for ending in self._endings:
            rank, items = ending.task.rank, ending.done()
            if items and rank.dead_at is None:
                keys = tuple(map(ending.key, items))
                ready.append(Ready(None, ending, items, rank.index, ending.number, ending.since, keys))
        return ready + self._turns(again=False) if self._asked else ready

    def _turns(self, again: bool) -> list[Ready]:
        """The turns that can be given, in the order in which somebody asked there."""
        found = []
        for turns in dict.fromkeys(self._asked.values()):
            if able := turns.undecided(again):
                sources = tuple([each.source for each in able])
                found.append(Ready(turns, None, able, turns.rank, turns.number, 0, sources))
        return found

    def _decide_one(self, ready: list[Ready]) -> None:
        if self.on_step is not None:
            self.on_step(ready)
        chooser = self.kernel.chooser
        if chooser is None:
            one, item = ready[0], ready[0].messages[0]
        else:
            # Who is matched first may decide who else sends to the others.
            one = ready[0] if len(ready) == 1 else chooser.one_of(Kind.RECEIVER, None, "", ready, _goes_on)
            item = self._chosen(chooser, one)
        self.decided += 1
        self.progress += item is not TOO_EARLY
        if isinstance(one.place, LateTurns):
            del self._asked[item]
            one.place.take(item)
        elif isinstance(one.receive, LateEnding | Look):
            self._endings.remove(one.receive)
            if isinstance(one.receive, Look):
                one.receive.passed_over = sum(len(each.messages) for each in ready if each.rank == one.rank) > 1
            one.receive.end(item)
        else:
            assert one.place is not None and one.receive is not None
            one.place.match(one.receive, item)

    def _chosen(self, chooser: Chooser, one: Ready) -> Any:
        """What is decided of one that can be."""
        if len(one.messages) == 1:
            return one.messages[0]
        if isinstance(one.place, LateTurns):
            return chooser.one_of(one.place.kind, one.place.owner, one.place.call, one.messages, _text, str)
        where = functools.partial(self._where, one.rank)
        if isinstance(one.receive, LateEnding | Look):
            return chooser.one_of(one.kind, one.rank, one.receive.call, one.messages, one.receive.text, where)
        assert one.place is not None and one.receive is not None
        return chooser.one_of(Kind.MESSAGE, one.rank, one.receive.call, one.messages, one.place.alternative, where)

    def _where(self, rank: int) -> str:
        main = self.kernel.ranks[rank].main
        return "" if main is None else main.where()


def _goes_on(one: Ready) -> ComesFirst:
    if isinstance(one.place, LateTurns):
        what = "the lock of its window is given" if one.place.kind is Kind.LOCK else "its window is accessed"
        if one.place.kind is Kind.THREAD:
            only = one.messages[0].text if len(one.messages) == 1 else None
            what = f"{only.thread if isinstance(only, GoesOn) else 'a thread'} goes on at {one.place.call}"
        return ComesFirst(one.place.owner, what)
    assert one.receive is not None
    if isinstance(one.receive, Look):
        return ComesFirst(one.rank, f"{one.receive.call} looks")
    return ComesFirst(one.rank, f"{one.receive.call} {'ends a request' if one.place is None else 'takes a message'}")


def _text(asked: Asked) -> Alternative:
    return asked.text


def _nothing() -> None:
    pass
