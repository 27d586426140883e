"""What the ranks of one communicator share: mailboxes, links, and the collective calls under way.

It knows who called what, and who waits for whom; what a collective call computes belongs to `comm`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from bsbpool.durations import exact_duration

from ..cluster import Cluster
from ..errors import CollectiveMismatchError
from ..kernel import Task
from ..mailbox import Link, Mailbox, Message
from ..matches import LateMailbox
from .requests import Request

#: Of this many ranks a message gives the numbers.
_SHOWN = 10


def ranks(numbers: Sequence[int]) -> str:
    """``rank 3``, or ``ranks 1, 2``; of many the first ten."""
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return ("rank " if len(numbers) == 1 else "ranks ") + shown + more


class Context:
    """The ranks of one communicator.

    :param members: their ranks in the simulation, by rank in the communicator.
    :ivar number: tells it from all others of the simulation; that of all ranks is 0.
    :param name: the communicator's name; "" if nobody named it.
    """

    def __init__(self, cluster: Cluster, members: Sequence[int], name: str = ""):
        self.cluster = cluster
        self.members = members
        self.name = name
        self.number = cluster.new_context()
        late = cluster.late
        self.boxes = [Mailbox() if late is None else LateMailbox(late, rank, members) for rank in members]
        self._links: dict[tuple[int, int], Link] = {}
        self._calls = [0] * len(members)
        self.under_way: dict[int, Collective] = {}

    def send(self, message: Message, dest: int) -> None:
        """Put `message` on its way to `dest`."""
        kernel, source, target = self.cluster.kernel, self.members[message.source], self.members[dest]
        link = self._links.get((message.source, dest))
        if link is None:
            link = self._links[message.source, dest] = Link(kernel, source, kernel.ranks[target], self.boxes[dest])
        faults = self.cluster.faults
        longer = 0 if faults is None else faults.before_send(source, target)
        link.send(message, self.cluster.network.arrival(kernel.now, source, target, len(message.data), longer))

    def enter(
        self, rank: int, name: str, root: int | None, payload: Any, size: int, waits: str, detail: str
    ) -> Collective:
        """`rank` makes its next collective call.

        :raises CollectiveMismatchError: another rank made another call, or named another root, there.
        """
        position = self._calls[rank]
        self._calls[rank] += 1
        call = self.under_way.get(position)
        if call is None:
            call = self.under_way[position] = Collective(self, position, name, root, waits, detail, rank)
        elif (call.name, call.root, call.detail) != (name, root, detail):
            where = self.name or f"communicator {self.number}"
            raise CollectiveMismatchError(
                f"rank {self.members[rank]} called {_text(name, root, detail)} where rank "
                f"{self.members[call.first]} called {call.text()}, as collective call {position + 1} of "
                f"{where}: all ranks of a communicator must make the same "
                "collective calls in the same order, with the same root and operation"
            )
        call.arrive(rank, payload, size)
        return call

    def leave(self, call: Collective) -> None:
        """Forget a call that every rank has returned from."""
        call.inside -= 1
        if call.inside == 0:
            del self.under_way[call.position]

    # -- for those who read why a rank waits -------------------------------------------------------

    def fate(self, rank: int) -> str:
        """What became of a rank that runs no more; "" if it runs."""
        r = self.cluster.kernel.ranks[self.members[rank]]
        if r.dead_at is not None:
            return f"died at {exact_duration(r.dead_at)}"
        if r.main is None or r.main.ended_at is None:
            return ""
        return "has raised" if r.main.error is not None else "has ended"

    def someone(self, rank: int) -> str:
        """``rank 2``, or ``rank 2, which died at 5 s,``."""
        fate = self.fate(rank)
        return f"rank {self.members[rank]}" + (f", which {fate}," if fate else "")

    def message_text(self, source: int | None, tag: int | None, call: str) -> str:
        """What a receive waits for."""
        who = "any rank" if source is None else self.someone(source)
        return f"a message from {who} with {'any tag' if tag is None else f'tag {tag}'} ({call}){self._where()}"

    def call_text(self, numbers: Iterable[int], call: Collective) -> str:
        """Who has not made a collective call, and what became of them."""
        missing = list(numbers)
        world = [self.members[r] for r in missing]
        fates = [f"rank {self.members[r]} {fate}" for r in missing if (fate := self.fate(r))]
        who = "it has" if len(missing) == 1 else "they have"
        notes = "; ".join([f"{who} not called it", *fates[:_SHOWN]])
        return f"{ranks(world)} to call {call.text()} ({notes}){self._where()}"

    def _where(self) -> str:
        if self.number == 0:  # all ranks
            return ""
        return f" on {self.name or 'the communicator'} of {ranks(self.members)}"


class Collective:
    """One collective call, while ranks come to it.

    :ivar payloads: what each rank brought.
    :ivar result: for what is computed once for all ranks.
    :param waits: who waits for whom: "all" for all, "root" the others for the root, "gather" the root for
        all, "lower" each rank for the lower ones.
    :param first: the rank that came first.
    """

    def __init__(
        self, context: Context, position: int, name: str, root: int | None, waits: str, detail: str, first: int
    ):
        self.position = position
        self.name = name
        self.root = root
        self.detail = detail
        self.first = first
        self.payloads: dict[int, Any] = {}
        self.result: Any = None
        self.inside = len(context.members)
        self._context = context
        self._waits = waits
        self._size = 0
        self._ready: int | None = None
        self._prefix: list[int] = []
        self._waiting: dict[int, Task] = {}
        self._requests: list[Request] = []

    def text(self) -> str:
        """The call as a program would write it."""
        return _text(self.name, self.root, self.detail)

    def arrive(self, rank: int, payload: Any, size: int) -> None:
        """`rank` brings `payload`, of `size` bytes on the wire."""
        self.payloads[rank] = payload
        self._size = max(self._size, size)
        everybody = len(self._context.members)
        if self._waits == "lower":
            while (r := len(self._prefix)) in self.payloads:
                self._prefix.append(self._end())
                if r in self._waiting:
                    self._context.cluster.kernel.wake(self._waiting.pop(r))
        elif rank == self.root if self._waits == "root" else len(self.payloads) == everybody:
            self._ready = self._end()
            kernel = self._context.cluster.kernel
            for task in self._waiting.values():
                kernel.wake(task)
            self._waiting.clear()
            for request in self._requests:
                kernel.at(self._ready, request.complete, None)

    def _end(self) -> int:
        """When a call ends whose last rank comes now: after as many hops as a binary tree has levels."""
        cluster = self._context.cluster
        hops = (len(self._context.members) - 1).bit_length()
        return cluster.kernel.now + (cluster.network.takes(self._size) * hops if hops else 0)

    def _ready_for(self, rank: int) -> int | None:
        if self._waits == "lower":
            return self._prefix[rank] if rank < len(self._prefix) else None
        return self._ready

    def wait(self, rank: int) -> None:
        """Let the task of `rank` wait until the call ends for it."""
        if rank == self.root if self._waits == "root" else self._waits == "gather" and rank != self.root:
            return
        kernel = self._context.cluster.kernel
        while (end := self._ready_for(rank)) is None:
            self._waiting[rank] = kernel.task
            kernel.park(functools.partial(self.waits_for, rank))
        while kernel.now < end:
            kernel.park(self._travels, end)

    def request(self, rank: int) -> Request:
        """A request that completes when the call ends for `rank`; for calls in which all wait for all."""
        request = Request(self._context.cluster.kernel, functools.partial(self.waits_for, rank))
        if self._ready is None:
            self._requests.append(request)
        else:
            self._context.cluster.kernel.at(self._ready, request.complete, None)
        return request

    def waits_for(self, rank: int) -> str:
        """Whom `rank` waits for."""
        n = rank if self._waits == "lower" else len(self._context.members)
        wanted = [self.root] if self._waits == "root" else range(n)
        missing = [r for r in wanted if r is not None and r not in self.payloads]
        return self._context.call_text(missing, self) if missing else self._travels()

    def _travels(self) -> str:
        return f"the end of {self.text()}"


def _text(name: str, root: int | None, detail: str) -> str:
    arguments = [f"root={root}"] if root is not None else []
    return f"{name}({', '.join([*arguments, detail] if detail else arguments)})"
