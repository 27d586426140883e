"""One rank's membership of a communicator: the state to which its handles refer.

What all its ranks share is in `contexts`; what programs call, in the chapters.
"""

from __future__ import annotations

import weakref
from typing import Any

from ..cluster import Cluster
from ..mailbox import MessageQueue, SentMessage
from .buffers import Buffer
from .contexts import Bridge, Context, bridge
from .handles import State
from .requests import unpickled
from .signatures import difference
from .status import fill


class CommMember(State):
    """One rank's membership of a communicator.

    :param context: its ranks, by the numbers that messages have: of an inter-communicator, those of the other group.
    :param rank: this rank's number in its group.
    :param private: whether it is not the program's, which need not free it.
    :ivar size: number of ranks of its group; `peers`: of those that it can send to.
    :ivar world_rank: its number in the simulation.
    :ivar mailbox: where messages to it arrive.
    :ivar meeting: where the collective calls meet, of both groups; `place`: this rank's number there.
    :ivar kind: name of the class of its handles: "Intracomm", "Cartcomm", …
    :ivar hints: those of its info object.
    :ivar topology: its virtual topology, or None.
    :ivar bridge: of an inter-communicator, what both groups share; `side`: which of them this is.
    """

    def __init__(self, context: Context, rank: int, kind: str = "Intracomm", private: bool = False):
        self.context = context
        self.cluster: Cluster = context.cluster
        self.rank = rank
        self.size, self.peers = len(context.own), len(context.members)
        self.world_rank = context.own[rank]
        self.mailbox: MessageQueue = context.own_boxes[rank]
        self.meeting = context
        self.place = rank
        self.kind = kind
        self.name = context.first_name
        self.hints: dict[str, str] = {}
        self.topology: Any = None
        #: how many deaths it has acknowledged, and at how many agreements it was.
        self.acknowledged = self.agreements = 0
        #: its locks, its private duplicate, and the tag of the next call on that: see `private_duplicates`.
        self.locks: dict[Any, Any] = {}
        self.duplicate: Any = None
        self.next_tag = 0
        self.bridge: Bridge | None = None
        self.side = 0
        #: whether it was freed; and the handles that refer to it.
        self.freed = False
        self.handles: list[weakref.ref[Any]] = []
        #: the world in which job pools on this communicator live, once there was one.
        self.world: Any = None
        #: what it has attached for buffered sends, once it has.
        self.attached: Any = None
        if self.cluster.made is not None and not private:
            self.cluster.made.append(weakref.ref(self))
        if self.cluster.audit is not None and not private:
            self.cluster.audit.made(self)

    @property
    def member(self) -> CommMember:
        """The membership itself, since handles copy it from their state. It is no attribute: a reference to itself
        would last until garbage is collected.
        """
        return self

    def received(self, message: SentMessage, status: Any, buffer: Buffer | None) -> Any:
        """Give the content of a matched message to the program."""
        members, data = self.context.members, message.data
        self.cluster.recorder.emit("receive", self.world_rank, members[message.source], message.tag, len(data))
        if status is not None:
            fill(status, message.source, message.tag, len(data))
        if self.cluster.races is not None:
            self.cluster.races.received(message, self.world_rank)
        if self.cluster.audit is not None:
            self._compare(message, None if buffer is None else buffer.type.definition)
        if buffer is None:
            return unpickled(data)
        buffer.put(data, f"the message from rank {message.source} with tag {message.tag}")
        return None

    def _compare(self, message: SentMessage, wanted: Any) -> None:
        """See that a message is received as what it was sent.

        :param wanted: the datatype of the items that are received; None: it is an object.
        """
        problem = difference(message.type, wanted, len(message.data))
        if problem is not None and self.cluster.audit is not None:
            receives, sent = problem
            right = f"that was sent as {sent}; both sides have to name the same type, or both be for objects"
            self.cluster.audit.mismatched(f"receives {receives}", right)

    def shared_anew(self) -> Any:
        """Return what the ranks of a new duplicate share."""
        if self.bridge is None:
            return Context(self.cluster, self.context.own)
        first, second, _ = self.bridge
        return bridge(self.cluster, first.own, second.own)

    def like(self, shared: Any, private: bool = False) -> CommMember:
        """Return this rank's membership of a duplicate.

        :param shared: what `shared_anew` gave to one of the ranks.
        """
        if self.bridge is not None:
            return member_between(shared, self.side, self.rank, private)
        member = CommMember(shared, self.rank, self.kind, private)
        member.topology = self.topology
        return member


def member_between(shared: Bridge, side: int, rank: int, private: bool = False) -> CommMember:
    """Return a rank's membership of an inter-communicator.

    :param side: of which of its groups: 0 or 1.
    :param rank: its number there.
    """
    member = CommMember(shared[side], rank, "Intercomm", private)
    member.bridge, member.side = shared, side
    member.meeting = shared[2]
    member.place = rank + (len(shared[0].own) if side else 0)
    return member
