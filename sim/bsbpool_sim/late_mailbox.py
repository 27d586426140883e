"""Mailboxes where receives and probes from any rank wait until it is decided late which messages they take.

What may be matched with what is MPI's rule, as in `mailbox`. When it is decided, and what else is decided late, is in
`matches`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from .choices import MessageFrom
from .kernel import Kernel
from .late_turns import Asked, LateTurns
from .looks import Looks
from .mailbox import MessageQueue, Posted, SentMessage, fits


class Begun(NamedTuple):
    """A receive or probe from any rank that waits, with the fields of `Ready`."""

    receive: Posted
    number: int
    since: int


class Sent(NamedTuple):
    """A message that was sent, or a rank that has asked for its turn.

    :ivar place: where it goes.
    :ivar source: the rank of the simulation that sent it.
    :ivar after: the number of steps that were decided before.
    """

    place: LateMessageQueue | LateTurns
    message: SentMessage | Asked
    source: int
    after: int


class DecidesLate(Protocol):
    """Interface of what decides late: `matches.LateMatching` does.

    :ivar decided: how many steps were decided.
    :ivar looks: tests and probes that do not wait.
    :ivar sent: the messages that were sent; None: nobody wants to know.
    """

    kernel: Kernel
    decided: int
    looks: Looks
    sent: list[Sent] | None

    def add(self, mailbox: LateMessageQueue, receive: Posted) -> Begun:
        """Note that a receive or probe from any rank begins to wait in this mailbox."""


class LateProbe:
    """A probe from any rank. It is posted as receives are, and leaves the message that it finds in the mailbox.

    :ivar message: what it has found.
    """

    source: int | None = None

    def __init__(self, kernel: Kernel, tag: int | None, call: str):
        self.tag = tag
        self.call = call
        self.message: SentMessage | None = None
        self._kernel = kernel
        self._task = kernel.task

    def match(self, message: SentMessage) -> None:
        """Set the message that the probe found."""
        self.message = message
        self._kernel.wake(self._task)


class LateMessageQueue(MessageQueue):
    """A mailbox where receives from any rank wait until nothing else can run.

    :param late: matches them then.
    :param rank: the rank of the simulation whose mailbox it is.
    :param members: the ranks of the communicator in the simulation, by their number there.
    """

    __slots__ = ("_kernel", "_late", "_members", "begun", "rank")

    def __init__(self, late: DecidesLate, rank: int, members: Sequence[int]):
        super().__init__()
        self.rank = rank
        self._late = late
        self._kernel = late.kernel
        self._members = members
        #: the receives and probes from any rank that wait here.
        self.begun: list[Begun] = []

    def find(self, source: int | None, tag: int | None) -> SentMessage | None:
        """Find a message as `MessageQueue.find` does, except one that an earlier receive may take; for a receive from
        any rank, nothing.
        """
        message = None if source is None else super().find(source, tag)
        return None if message is None or self._may_be_taken(message, self.posted) else message

    def in_sight(self, source: int | None, tag: int | None) -> list[SentMessage]:
        """Return the messages that a probe could find now: the first of each source that no receive may take."""
        if source is not None:
            message = self.find(source, tag)
            return [] if message is None else [message]
        return [each for each in super().firsts(tag) if not self._may_be_taken(each, self.posted)]

    def firsts(self, tag: int | None) -> list[SentMessage]:
        """Return nothing: which message a receive from any rank takes is decided late."""
        return []

    def post(self, receive: Posted) -> None:
        """Post a receive; one from any rank waits until nothing else can run."""
        super().post(receive)
        if self._late.looks.vain:
            self._late.looks.happened(self.rank)
        if receive.source is None:
            self.begun.append(self._late.add(self, receive))

    def give_up(self, receive: Posted) -> None:
        """Cancel a receive that waits, so that receives behind it may be matched."""
        super().give_up(receive)
        self._forget(receive)
        self._match_others()

    def announce(self, message: SentMessage) -> None:
        """Note that a message was sent: it arrives before the next match is decided."""
        late = self._late
        if late.looks.vain:
            late.looks.happened(self._members[message.source])
        message.after = late.decided
        if late.sent is not None:
            late.sent.append(Sent(self, message, self._members[message.source], late.decided))

    def put(self, kernel: Kernel, message: SentMessage) -> None:
        """Add a message that arrives; it is kept if a receive from any rank may take it."""
        taker = None
        for each in self.posted:
            if fits(each, message):
                taker = each
                break
        # Whoever takes it must not pass over an earlier message of that rank, which is not decided yet.
        if taker is None or taker.source is None or super().find(taker.source, taker.tag) is not None:
            self.keep(kernel, message)
        else:
            super().put(kernel, message)

    def undecided(self) -> list[tuple[Begun, list[SentMessage]]]:
        """Return the receives and probes from any rank that can be matched, and what each of them may take."""
        found = []
        for begun in self.begun:
            messages = super().firsts(begun.receive.tag)
            if self.posted[0] is not begun.receive:
                before = self.posted[: next(i for i, each in enumerate(self.posted) if each is begun.receive)]
                messages = [each for each in messages if not self._may_be_taken(each, before)]
            if messages:
                found.append((begun, messages))
        return found

    def sources(self, messages: Sequence[SentMessage]) -> tuple[int, ...]:
        """Return the ranks of the simulation that have sent these messages."""
        return tuple([self._members[message.source] for message in messages])

    def match(self, receive: Posted, message: SentMessage) -> None:
        """Match `receive` with `message`, as was decided."""
        self.posted.remove(receive)
        self._forget(receive)
        if not isinstance(receive, LateProbe):
            self.take(message)
        receive.match(message)
        self._match_others()

    def could_take(self, receive: Posted, message: Any) -> bool:
        """Whether a receive that waits here could have taken a message that came later."""
        return fits(receive, message)

    def alternative(self, message: SentMessage) -> MessageFrom:
        """Return the alternative that stands for a message in a choice."""
        return MessageFrom(self._members[message.source], message.tag)

    def _forget(self, receive: Posted) -> None:
        if len(self.begun) == 1 and self.begun[0].receive is receive:
            self.begun = []
        else:
            self.begun = [each for each in self.begun if each.receive is not receive]

    def _may_be_taken(self, message: SentMessage, by: Sequence[Posted]) -> bool:
        return any(fits(each, message) and not isinstance(each, LateProbe) for each in by)

    def _match_others(self) -> None:
        """Match the receives from one rank that had to wait for what was decided now."""
        for receive in [*self.posted] if self.posted else ():
            if receive.source is not None:
                message = super().find(receive.source, receive.tag)
                place = self.posted.index(receive)
                if message is not None and not self._may_be_taken(message, self.posted[:place]):
                    self.posted.remove(receive)
                    self.take(message)
                    receive.match(message)
        if self.watching:
            self.wake_watching(self._kernel)
