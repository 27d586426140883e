"""Messages between two ranks: being sent, arrived, and matched with the receives that wait for them.

The rules of matching are MPI's: by source and tag within one communicator, in the order of arrival; messages from one
rank to another never overtake each other. The content of messages does not matter here.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Protocol

from .choices import ComesFirst
from .kernel import Happening, Kernel, Rank, Task


class Sender(Protocol):
    """Interface of a synchronous send, which waits until its message is matched."""

    def complete(self) -> None:
        """Complete the send: its message was matched."""


class Posted(Protocol):
    """Interface of a receive that waits for a message.

    :ivar source: from which rank; None: from any.
    :ivar tag: with which tag; None: any.
    :ivar call: what its rank calls: "recv".
    """

    source: int | None
    tag: int | None
    call: str

    def match(self, message: SentMessage) -> None:
        """Match this receive with a message."""


class SentMessage:
    """A message: bytes from a rank (its number in the communicator), with a tag.

    :ivar sync: who learns that it was matched.
    :ivar type: what its items are, for who compares that with what the receiver expects; None: it is a pickled object.
    :ivar after: how many steps were decided before it was sent, where receives are matched late.
    """

    after: int

    __slots__ = ("after", "data", "source", "sync", "tag", "taken", "type")

    def __init__(self, source: int, tag: int, data: bytes, sync: Sender | None = None, type: Any = None):
        self.source = source
        self.tag = tag
        self.data = data
        self.sync = sync
        self.type = type
        #: whether it was matched.
        self.taken = False

    def matched(self) -> None:
        """Mark the message as matched, and complete its synchronous send, if it has one."""
        self.taken = True
        if self.sync is not None:
            self.sync.complete()


def fits(receive: Posted, message: SentMessage) -> bool:
    """Return whether a receive may take a message, by source and tag."""
    return receive.source in (None, message.source) and receive.tag in (None, message.tag)


class MessageQueue:
    """The messages that have arrived for one rank of one communicator, and the receives that wait there."""

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
        """Return the message that arrived first from `source` (None: any) with `tag` (None: any)."""
        for message in self._arrived if source is None else self._by_source.get(source, ()):
            if tag is None or message.tag == tag:
                return message
        return None

    def firsts(self, tag: int | None) -> list[SentMessage]:
        """Return the first message of each source with `tag` (None: any), in order of arrival. A receive from any rank
        may take any of them.
        """
        found: dict[int, SentMessage] = {}
        for message in self._arrived:
            if message.source not in found and (tag is None or message.tag == tag):
                found[message.source] = message
        return [*found.values()]

    def take(self, message: SentMessage) -> None:
        """Remove a message that `find` or `firsts` returned: it belongs to the caller."""
        del self._arrived[message], self._by_source[message.source][message]
        message.matched()

    def post(self, receive: Posted) -> None:
        """Post a receive for which no message has arrived yet."""
        self.posted.append(receive)

    def give_up(self, receive: Posted) -> None:
        """Cancel a receive that waits."""
        self.posted.remove(receive)

    def announce(self, message: SentMessage) -> None:
        """Note that a message was sent, and will arrive."""

    def put(self, kernel: Kernel, message: SentMessage) -> None:
        """Add a message that arrives, or give it to a receive."""
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
        of_source = self._by_source.get(message.source)
        if of_source is None:
            of_source = self._by_source[message.source] = OrderedDict()
        of_source[message] = None
        if self.watching:
            self.wake_watching(kernel)

    def wake_watching(self, kernel: Kernel) -> None:
        """Wake the tasks that wait for a message without taking it: probes."""
        watching, self.watching = self.watching, []
        for task in watching:
            kernel.wake(task)


class Link(Happening):
    """The messages on their way from one rank to another."""

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
        """Return the alternative that stands for the arrival of a message."""
        return ComesFirst(
            self._rank.index, f"a message arrives from rank {self._source}", self._rank.dead_at is not None
        )

    def key(self) -> tuple[Any, ...]:
        """Return what identifies the link; there may be several between two ranks, one for each communicator."""
        return self._rank.index, self._source, self._context

    def _deliver(self, _: None) -> None:
        # Always the oldest: which link delivers first is a choice, but messages of one link keep their order.
        message = self._queue.popleft()
        if self._rank.dead_at is None:
            self._box.put(self._kernel, message)
