"""Late matching: time set aside, so that each message which could match a receive from any rank is an alternative.

A receive or a probe from any rank is not matched when a message is there, but when nothing else can run: then all
messages that could reach it before it goes on have arrived, whatever takes how long. What may be matched with what is
MPI's rule, as in `mailbox`: by source and tag, receives in the order in which they were posted, messages of one rank
in the order in which they were sent. What is chosen, and by whom, is in `choices`. Pools and windows are not matched
late: their messages and locks come in time.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from .choices import Event, Kind, MessageFrom
from .kernel import Kernel, Task
from .mailbox import Mailbox, Message, Posted, fits

#: Virtual nanoseconds from when nothing else can run to the next look of those who test or probe in a loop.
LOOK_AGAIN_NS = 1000


class LateProbe:
    """A probe from any rank, which stands among the receives; it finds a message, and leaves it where it is.

    :ivar message: what it has found.
    """

    source: int | None = None

    def __init__(self, kernel: Kernel, tag: int | None, call: str):
        self.tag = tag
        self.call = call
        self.message: Message | None = None
        self._kernel = kernel
        self._task = kernel.task

    def match(self, message: Message) -> None:
        """`message` is what it finds."""
        self.message = message
        self._kernel.wake(self._task)


class LateMailbox(Mailbox):
    """A mailbox where receives from any rank wait until nothing else can run.

    :param late: matches them then.
    :param rank: the rank of the simulation whose mailbox it is.
    :param members: the ranks of the communicator in the simulation, by their number there.
    """

    __slots__ = ("_kernel", "_late", "_members", "rank")

    def __init__(self, late: LateMatching, rank: int, members: Sequence[int]):
        super().__init__()
        self.rank = rank
        self._late = late
        self._kernel = late.kernel
        self._members = members

    def find(self, source: int | None, tag: int | None) -> Message | None:
        """As `Mailbox.find`, but for a message that an earlier receive may take, and nothing from any rank."""
        message = None if source is None else super().find(source, tag)
        return None if message is None or self._may_be_taken(message, self.posted) else message

    def firsts(self, tag: int | None) -> list[Message]:
        """Nothing: what a receive from any rank takes is decided late."""
        return []

    def post(self, receive: Posted) -> None:
        """A receive begins; one from any rank waits until nothing else can run."""
        super().post(receive)
        if receive.source is None:
            self._late.add(self)

    def give_up(self, receive: Posted) -> None:
        """A receive that waits is cancelled: those behind it may be matched."""
        super().give_up(receive)
        self._match_others()

    def put(self, kernel: Kernel, message: Message) -> None:
        """A message arrives; it is kept if a receive from any rank may take it."""
        taker = next((each for each in self.posted if fits(each, message)), None)
        # Whoever takes it must not pass over an earlier message of that rank, which is not decided yet.
        if taker is None or taker.source is None or super().find(taker.source, taker.tag) is not None:
            self.keep(kernel, message)
        else:
            super().put(kernel, message)

    def undecided(self) -> tuple[Posted, list[Message]] | None:
        """The first receive or probe from any rank that can be matched, and what it may take; None if none can."""
        for place, receive in enumerate(self.posted):
            if receive.source is None:
                before = self.posted[:place]
                found = [m for m in super().firsts(receive.tag) if not self._may_be_taken(m, before)]
                if found:
                    return receive, found
        return None

    def match(self, receive: Posted, message: Message) -> None:
        """It was decided that `receive` takes `message`."""
        self.posted.remove(receive)
        if not isinstance(receive, LateProbe):
            self.take(message)
        receive.match(message)
        self._match_others()

    def alternative(self, message: Message) -> MessageFrom:
        """A message as one of those that can be chosen."""
        return MessageFrom(self._members[message.source], message.tag)

    def _may_be_taken(self, message: Message, by: Sequence[Posted]) -> bool:
        return any(fits(each, message) and not isinstance(each, LateProbe) for each in by)

    def _match_others(self) -> None:
        """Match the receives from one rank that had to wait for what was decided now."""
        for receive in [*self.posted]:
            if receive.source is not None:
                message = super().find(receive.source, receive.tag)
                place = self.posted.index(receive)
                if message is not None and not self._may_be_taken(message, self.posted[:place]):
                    self.posted.remove(receive)
                    self.take(message)
                    receive.match(message)
        self.wake_watching(self._kernel)


class LateMatching:
    """Matches receives from any rank when nothing else can run.

    :param kernel: asks it then.
    """

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        #: where somebody waits for a message from any rank, in the order in which that began.
        self._waiting: dict[LateMailbox, None] = {}
        #: tasks whose test or probe found nothing.
        self._pollers: dict[Task, None] = {}

    def add(self, mailbox: LateMailbox) -> None:
        """Somebody waits in this mailbox for a message from any rank."""
        self._waiting[mailbox] = None

    def poll(self) -> None:
        """Let the task that runs now wait until it is woken, or nothing else can run."""
        task = self.kernel.task
        self._pollers[task] = None
        self.kernel.park("its next test or probe")
        self._pollers.pop(task, None)

    def decide(self) -> bool:
        """Nothing else can run: match one receive. Returns whether anything can run now."""
        ready: list[tuple[LateMailbox, Posted, list[Message]]] = []
        for mailbox in [*self._waiting]:
            if all(each.source is not None for each in mailbox.posted) or self._is_dead(mailbox.rank):
                del self._waiting[mailbox]
            elif (found := mailbox.undecided()) is not None:
                ready.append((mailbox, *found))
        if ready:
            self._match_one(ready)
            return True
        pollers, self._pollers = self._pollers, {}
        for task in pollers:
            self.kernel.at(self.kernel.now + LOOK_AGAIN_NS, self.kernel.wake, task)
        return bool(pollers)

    def _match_one(self, ready: list[tuple[LateMailbox, Posted, list[Message]]]) -> None:
        chooser = self.kernel.chooser
        if chooser is None:
            mailbox, receive, messages = ready[0]
            mailbox.match(receive, messages[0])
            return
        # Who is matched first may decide who else sends to the others.
        mailbox, receive, messages = chooser.one_of(
            Kind.RECEIVER, None, "", ready, lambda each: Event(each[0].rank, f"{each[1].call} takes a message")
        )
        where = functools.partial(self._where, mailbox.rank)
        choose = functools.partial(chooser.one_of, Kind.MESSAGE, mailbox.rank, receive.call)
        mailbox.match(receive, choose(messages, mailbox.alternative, where))

    def _where(self, rank: int) -> str:
        main = self.kernel.ranks[rank].main
        return "" if main is None else main.where()

    def _is_dead(self, rank: int) -> bool:
        return self.kernel.ranks[rank].dead_at is not None
