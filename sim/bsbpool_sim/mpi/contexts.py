"""What the ranks of one communicator share: mailboxes, links, and the collective calls that have begun and not ended.

It knows who called what, and who waits for whom; one such call is in `collective_call`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bsbpool.durations import exact_duration

from ..cluster import Cluster
from ..errors import CollectiveMismatchError
from ..late_mailbox import LateMessageQueue
from ..mailbox import Link, MessageQueue, SentMessage
from .collective_call import Collective, Part, call_text, none, nothing

#: Of this many ranks a message gives the numbers.
_SHOWN = 10


def ranks(numbers: Sequence[int]) -> str:
    """Return ``rank 3``, or ``ranks 1, 2``; of many ranks the first ten."""
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return ("rank " if len(numbers) == 1 else "ranks ") + shown + more


class Context:
    """The ranks of one communicator.

    :param members: the ranks in the simulation of those that messages go to, by rank in the communicator.
    :param own: those of the group itself, if it is one of two: `bridge` makes such.
    :ivar boxes: the mailboxes of those that messages go to; `own_boxes`: those of the group itself.
    :ivar number: tells it from all others of the simulation; that of all ranks is 0.
    :param name: the communicator's name; "" if nobody named it.
    :ivar name: the one that reports give: whichever rank named it last; `first_name`: the one that it began with.
    """

    def __init__(self, cluster: Cluster, members: Sequence[int], name: str = "", own: Sequence[int] | None = None):
        self.cluster = cluster
        self.members = members
        self.own = members if own is None else own
        self.name = self.first_name = name
        self.number = cluster.new_context()
        late = cluster.late
        self.boxes = [MessageQueue() if late is None else LateMessageQueue(late, rank, members) for rank in self.own]
        self.own_boxes = self.boxes
        self._links: dict[tuple[int, int], Link] = {}
        self._aside: Context | None = None
        self._calls = [0] * len(members)
        #: whether two groups make its calls.
        self.between = False
        #: by position, and that of persistent ones with the number of the start.
        self.under_way: dict[Any, Collective] = {}

    def aside(self) -> Context:
        """A second context of the same ranks, for messages that no receive of the communicator may take."""
        if self._aside is None:
            own = None if self.own is self.members else self.own
            self._aside = Context(self.cluster, self.members, self.name, own)
        return self._aside

    def send(self, message: SentMessage, dest: int) -> int:
        """Send `message` to `dest`. Return the virtual time at which it arrives."""
        cluster = self.cluster
        kernel, source, target = cluster.kernel, self.own[message.source], self.members[dest]
        if kernel.work is not None:
            kernel.count_work()
        link = self._links.get((message.source, dest))
        if link is None:
            rank, box = kernel.ranks[target], self.boxes[dest]
            link = self._links[message.source, dest] = Link(kernel, source, rank, box, self.number)
        if cluster.audit is not None:
            cluster.audit.sent(message, target)
        if cluster.observed is not None:
            cluster.observed.gave(source, message.data, target, message.tag)
        if cluster.races is not None:
            cluster.races.sent(message, source, target, message.sync)
        faults = cluster.faults
        longer = 0 if faults is None else faults.before_send(source, target)
        arrival = kernel.now
        if longer or not cluster.network.instant:
            arrival = cluster.network.arrival(arrival, source, target, len(message.data), longer)
        link.send(message, arrival)
        return arrival

    def enter(self, rank: int, part: Part, payload: Any, size: int) -> Collective:
        """Let `rank` make its next collective call, to which it brings `payload`, of `size` bytes on the wire.

        :raises CollectiveMismatchError: another rank made another call, or named another root, there.
        """
        self.cluster.kernel.count_work()
        position = self._calls[rank]
        self._calls[rank] = position + 1
        call = self.under_way.get(position)
        if call is None:
            call = self.under_way[position] = Collective(self, part, rank)
        elif call.name != part.name or call.root != part.root or call.detail != part.detail:
            self._compare(call, rank, part, position)
        call.arrive(rank, part, payload, size)
        if call.arrived == len(self.members):
            del self.under_way[position]
        return call

    def announce(self, rank: int, part: Part) -> int:
        """Let `rank` create a persistent collective call as its next one; nobody waits.

        :returns: what tells it from others that this rank made; it is the same for all ranks.
        """
        plan = Part(part.name, nothing, none, "nobody", part.root, part.detail)
        self.enter(rank, plan, None, 0)
        return self._calls[rank] - 1

    def start(self, rank: int, part: Part, key: tuple[int, int], payload: Any, size: int) -> Collective:
        """Let `rank` start a persistent collective call.

        :param key: which one, and for which time.
        """
        self.cluster.kernel.count_work()
        call = self.under_way.get(key)
        if call is None:
            call = self.under_way[key] = Collective(self, part, rank, start=True)
        call.arrive(rank, part, payload, size)
        if call.arrived == len(self.members):
            del self.under_way[key]
        return call

    def _compare(self, call: Collective, rank: int, part: Part, position: int) -> None:
        same_root = call.root == part.root or call.root is None or part.root is None
        if call.kind == (part.kind or part.name) and same_root and call.detail == part.detail:
            return
        where = self.name or f"communicator {self.number}"
        error = CollectiveMismatchError(
            f"rank {self.members[rank]} called {call_text(self, part.name, part.root, part.detail)} where rank "
            f"{self.members[call.first]} called {call.text()}, as collective call {position + 1} of "
            f"{where}: all ranks of a communicator must make the same "
            f"collective calls in the same order, with the same root and operation{_BETWEEN if self.between else ''}"
            f"{call.begun()}"
        )
        error.other = call.name
        raise error

    # -- for those who read why a rank waits -------------------------------------------------------

    def fate(self, rank: int) -> str:
        """Return what became of a rank that does not run any more; "" if it runs."""
        r = self.cluster.kernel.ranks[self.members[rank]]
        if r.dead_at is not None:
            return f"died at {exact_duration(r.dead_at)}"
        if r.main is None or r.main.ended_at is None:
            return ""
        return "has raised" if r.main.error is not None else "has ended"

    def someone(self, rank: int) -> str:
        """Return ``rank 2``, or ``rank 2, which died at 5 s,``."""
        fate = self.fate(rank)
        return f"rank {self.members[rank]}" + (f", which {fate}," if fate else "")

    def message_text(self, source: int | None, tag: int | None, call: str) -> str:
        """Return what a receive waits for, in words."""
        who = "any rank" if source is None else self.someone(source)
        return f"a message from {who} with {'any tag' if tag is None else f'tag {tag}'} ({call}){self._where()}"

    def call_text(self, numbers: Iterable[int], call: str) -> str:
        """Return which ranks have not made a collective call, and what became of them."""
        missing = list(numbers)
        world = [self.members[r] for r in missing]
        fates = [f"rank {self.members[r]} {fate}" for r in missing if (fate := self.fate(r))]
        who = "it has" if len(missing) == 1 else "they have"
        notes = "; ".join([f"{who} not called it", *fates[:_SHOWN]])
        return f"{ranks(world)} to call {call} ({notes}){self._where()}"

    def _where(self) -> str:
        if self.number == 0:  # all ranks
            return ""
        if self.own is not self.members:
            return f" on {self.name or 'the inter-communicator'} of {ranks(self.own)}, and {ranks(self.members)}"
        return f" on {self.name or 'the communicator'} of {ranks(self.members)}"


#: What is said besides of the roots of two groups.
_BETWEEN = (
    "; between two groups the root passes MPI.ROOT, the others of its group PROC_NULL, and the other group its rank"
)

#: What the two groups of an inter-communicator share: the first's end, the second's, and where both meet.
Bridge = tuple[Context, Context, Context]


def bridge(cluster: Cluster, first: Sequence[int], second: Sequence[int]) -> Bridge:
    """Return what the two groups of a new inter-communicator share."""
    one, other = Context(cluster, second, own=first), Context(cluster, first, own=second)
    one.boxes, other.boxes = other.own_boxes, one.own_boxes
    meeting = Context(cluster, [*first, *second])
    meeting.between = True
    return one, other, meeting
