"""Messages between two ranks: under way, arrived, and matched with who wants them.

Matching is MPI's: by source and tag within one communicator, in the order of arrival, and messages from
one rank to another never overtake each other. What a message holds is nobody's business here.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Protocol

from .choices import ComesFirst
from .kernel import Happening, Kernel, Rank, Task


class Sender(Protocol):
    """Who waits until a message is matched: a synchronous send."""

    def complete(self) -> None:
        """The message was matched."""


class Posted(Protocol):
    """A receive that waits for a message.

    :ivar source: from which rank; None: from any.
    :ivar tag: with which tag; None: any.
    :ivar call: what its rank calls: "recv".
    """

    source: int | None
    tag: int | None
    call: str

    def match(self, message: SentMessage) -> None:
        """This message is its own."""


class SentMessage:
    """Bytes from a rank (of the communicator), with a tag.

    :ivar sync: who learns that it was matched.
    :ivar type: what its items are, for who compares that with what the receiver expects; None: it is a pickled object.
    """

    __slots__ = ("data", "source", "sync", "tag", "taken", "type")

    def __init__(self, source: int, tag: int, data: bytes, sync: Sender | None = None, type: Any = None):
        self.source = source
        self.tag = tag
        self.data = data
        self.sync = sync
        self.type = type
        #: whether it was matched.
        self.taken = False

    def matched(self) -> None:
        """It has its receiver: tell a synchronous sender, if it is one."""
        self.taken = True
        if self.sync is not None:
            self.sync.complete()


def fits(receive: Posted, message: SentMessage) -> bool:
    """Whether a receive may take a message, by source and tag."""
    return receive.source in (None, message.source) and receive.tag in (None, message.tag)


class MessageQueue:
    """What arrived for one rank of one communicator, and who waits there."""

    __slots__ = ("_arrived", "_by_source", "posted", "watching")

    def __init__(self) -> None:
        # Ordered, since taking the first key of a plain dict again and again is quadratic.
        self._arrived: OrderedDict[SentMessage, None] = OrderedDict()
        self._by_source: dict[int, OrderedDict[SentMessage, None]] = {}
        #: receives that wait for a message, in the order in which they were posted.
        self.posted: list[Posted] = []
        #: tasks to wake when a message arrives that no posted receive takes.
        self.watching: list[Task] = []

    def find(self, source: int | None, tag: int | None) -> SentMessage | None:
        """The first message to have arrived from `source` (None: any) with `tag` (None: any)."""
        for message in self._arrived if source is None else self._by_source.get(source, ()):
            if tag is None or message.tag == tag:
                return message
        return None

    def firsts(self, tag: int | None) -> list[SentMessage]:
        """The first message of each source with `tag` (None: any), in the order in which they arrived: a receive from
        any rank may take any of them."""
        found: dict[int, SentMessage] = {}
        for message in self._arrived:
            if message.source not in found and (tag is None or message.tag == tag):
                found[message.source] = message
        return [*found.values()]

    def take(self, message: SentMessage) -> None:
        """Take out a message that `find` or `firsts` gave: it is the caller's then."""
        del self._arrived[message], self._by_source[message.source][message]
        message.matched()

    def post(self, receive: Posted) -> None:
        """A receive begins for which there is no message yet."""
        self.posted.append(receive)

    def give_up(self, receive: Posted) -> None:
        """A receive that waits is cancelled."""
        self.posted.remove(receive)

    def announce(self, message: SentMessage) -> None:
        """A message has been sent, and will arrive."""

    def put(self, kernel: Kernel, message: SentMessage) -> None:
        """A message arrives."""
        for i, receive in enumerate(self.posted):
            if receive.source in (None, message.source) and receive.tag in (None, message.tag):
                del self.posted[i]
                message.matched()
                receive.match(message)
                return
        self.keep(kernel, message)

    def keep(self, kernel: Kernel, message: SentMessage) -> None:
        """Keep a message that no receive takes now."""
        self._arrived[message] = None
        self._by_source.setdefault(message.source, OrderedDict())[message] = None
        self.wake_watching(kernel)

    def wake_watching(self, kernel: Kernel) -> None:
        """Let those look who wait for a message that they don't take."""
        if self.watching:
            watching, self.watching = self.watching, []
            for task in watching:
                kernel.wake(task)


class Link(Happening):
    """The messages under way from one rank to another."""

    __slots__ = ("_box", "_context", "_kernel", "_queue", "_rank", "_source")

    def __init__(self, kernel: Kernel, source: int, rank: Rank, box: MessageQueue, context: int = 0):
        self._context = context
        self._source = source
        self._kernel = kernel
        self._rank = rank
        self._box = box
        self._queue: deque[SentMessage] = deque()

    def send(self, message: SentMessage, arrival: int) -> None:
        """Let `message` arrive at virtual time `arrival`, no earlier than the one before."""
        self._queue.append(message)
        self._box.announce(message)
        self._kernel.at(arrival, self._deliver, None)

    def happening(self, argument: Any) -> ComesFirst:
        """The arrival of a message."""
        return ComesFirst(
            self._rank.index, f"a message arrives from rank {self._source}", self._rank.dead_at is not None
        )

    def key(self) -> tuple[Any, ...]:
        """The link: it may be one of several between two ranks, each of a communicator."""
        return self._rank.index, self._source, self._context

    def _deliver(self, _: None) -> None:
        # Always the oldest: which link delivers first is a choice, but messages of one link keep their order.
        message = self._queue.popleft()
        if self._rank.dead_at is None:
            self._box.put(self._kernel, message)
