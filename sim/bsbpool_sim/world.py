"""The simulated world: the ground that a pool stands on when its ranks are simulated.

It gives what `bsbpool.worlds.World` asks for, out of the kernel and the network. What a script has to say is
asked for here and decided in `script`.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from bsbpool.exceptions import JobInterrupted
from bsbpool.trace.recording import FileRecorder
from bsbpool.worlds import Channel, Interruptible, Mailbox, MultipartMessage, RankLost, Role, World, this_world

from .choices import Event
from .instant import DEADLINES, LOSSES, NEWS
from .kernel import Happening, Kernel, Rank, Task, current
from .python.real_lock import RealRLock

if TYPE_CHECKING:
    from .mpi.communicators import Comm


class SimMailbox(Mailbox):
    """A line of items, and the task that waits for one."""

    def __init__(self, kernel: Kernel, why: str):
        self._kernel = kernel
        self._why = why
        self._items: deque[Any] = deque()
        self._waiting: Task | None = None

    def put(self, item: Any) -> None:
        self._items.append(item)
        task = self._waiting
        if task is not None and task.parked:
            self._kernel.wake(task, NEWS)

    def get(self, until: int | None = None) -> Any:
        items = self._items
        if items:
            return items.popleft()
        kernel = self._kernel
        if until == 0:
            if kernel.closing:
                kernel.check_open()
            return None
        self._waiting = current()
        while kernel.park(self._why, until, DEADLINES) and not items:
            pass
        self._waiting = None
        return items.popleft() if items else None


class PoolLink(Happening):
    """The messages of one pool under way from one rank to another."""

    __slots__ = ("boxes", "dest", "pool", "rank", "sent_by", "source", "target", "under_way")

    def __init__(self, lines: SimTransport, source: int, dest: int):
        members = lines.members
        self.source = source
        self.dest = dest
        #: the numbers of both in the simulation.
        self.sent_by = members[source]
        self.target = members[dest]
        #: who receives.
        self.rank = lines.cluster.kernel.ranks[self.target]
        self.boxes = lines.boxes
        self.pool = lines.key
        #: oldest first.
        self.under_way: deque[Any] = deque()

    def happening(self, argument: None) -> Event:
        return Event(self.target, f"a message of its pool arrives from rank {self.sent_by}")

    def key(self) -> tuple[Any, ...]:
        return (self.target, self.sent_by, *self.pool)

    def deliver(self, _: None) -> None:
        # Always the oldest: which link delivers first is a choice, but messages of one link keep their order.
        item = self.under_way.popleft()
        box = self.boxes.get(self.dest)
        if isinstance(box, SimMailbox):
            box.put((self.source, item))
        elif box is not None:
            box.append((self.source, item))
        elif self.dest not in self.boxes:
            self.boxes[self.dest] = [(self.source, item)]


class SimTransport:
    """The channels of one pool on all ranks of its communicator: where messages arrive, and deaths are told."""

    def __init__(self, comm: Comm, serial: int):
        self.cluster = comm.cluster
        self.members = comm.context.members
        self.key = (comm.context.number, serial)
        self.why = f"a message for its pool (the {_nth(serial)} on this communicator)"
        # By rank: its mailbox while its channel is open; before, what came early; after, None.
        self.boxes: dict[int, SimMailbox | list[Any] | None] = {}
        self._links: dict[tuple[int, int], PoolLink] = {}
        self.cluster.kernel.on_death.append(self._died)

    def open(self, rank: int) -> SimMailbox:
        """The mailbox of a rank that opens its channel."""
        early = self.boxes.get(rank) or []
        mailbox = self.boxes[rank] = SimMailbox(self.cluster.kernel, self.why)
        assert isinstance(early, list)
        for item in early:
            mailbox.put(item)
        for dead in self.cluster.kernel.dead:
            if dead.index in self.members:
                self._tell_lost(self.members.index(dead.index), rank)
        return mailbox

    def close(self, rank: int) -> None:
        """A rank closed its channel: what arrives for it from now on is dropped."""
        self.boxes[rank] = None

    def send(self, source: int, dest: int, item: Any, size: int) -> None:
        """Put `item`, of `size` bytes, on its way."""
        link = self._links.get((source, dest))
        if link is None:
            link = self._links[source, dest] = PoolLink(self, source, dest)
        if link.rank.dead_at is not None:
            return
        cluster = self.cluster
        kernel, network, is_loss = cluster.kernel, cluster.network, type(item) is RankLost
        longer = 0
        if cluster.faults is not None and not is_loss:
            longer = cluster.faults.before_send(link.sent_by, link.target, source > 0)
        link.under_way.append(item)
        arrival = kernel.now
        if longer or not network.instant:
            arrival = network.arrival(arrival, link.sent_by, link.target, size, longer)
        if is_loss:
            kernel.in_order(arrival, LOSSES, source / len(self.members), link.deliver, None)
        else:
            kernel.at(arrival, link.deliver, None)
            if cluster.faults is not None:
                cluster.faults.after_send()

    def _died(self, dead: Rank) -> None:
        """Those whose channels are open hear of it after the time that a message takes."""
        if dead.index in self.members:
            number = self.members.index(dead.index)
            for rank, box in list(self.boxes.items()):
                if isinstance(box, SimMailbox):
                    self._tell_lost(number, rank)

    def _tell_lost(self, number: int, rank: int) -> None:
        died = self.cluster.kernel.ranks[self.members[number]].dead_at
        assert died is not None
        self.send(number, rank, RankLost(died, "a simulated host"), 0)


class SimChannel(Channel):
    """Messages of one pool on one simulated rank."""

    def __init__(self, lines: SimTransport, rank: int):
        self._lines = lines
        self._rank = rank
        self._mailbox = lines.open(rank)
        self._script = lines.cluster.script
        self.scripted = self._script is not None

    def put(self, item: Any) -> None:
        self._mailbox.put(item)

    def get(self, until: int | None = None) -> Any:
        return self._mailbox.get(until)

    def send(self, rank: int, message: Any, parts: Sequence[Any] = (), last: bool = False) -> None:
        if self._script is not None:
            self._script.send(self._rank)
        lines = self._lines
        # What a message would be as bytes takes time to find out, and counts only where its length does.
        size = len(pickle.dumps(message, 5)) if lines.cluster.network.weighs else 0
        if not parts:
            lines.send(self._rank, rank, message, size)
            return
        copies = [bytearray(part) for part in parts]
        lines.send(self._rank, rank, MultipartMessage(message, copies), size + sum(map(len, copies)))

    def close(self) -> None:
        self._lines.close(self._rank)

    def introduce(self, job: int, name: str, context: Mapping[str, Any]) -> None:
        assert self._script is not None
        self._script.introduce(self._lines.key, job, name, context)

    def perform(self, job: int, function: Callable[[], Any]) -> Any:
        script = self._script
        return function() if script is None else script.perform(self._lines.key, job, function)


class InterruptibleTask(Interruptible):
    """A function in a simulated task: it is interrupted where it waits."""

    def __init__(self, kernel: Kernel):
        self._kernel = kernel
        self._task = kernel.task
        self._runs = True
        self.interrupted = False

    def run(self, function: Callable[[], Any]) -> Any:
        self._task.limited = True
        try:
            return function()
        finally:
            self._runs = self._task.limited = False

    def interrupt(self) -> bool:
        if self._runs:
            self.interrupted = True
            self._kernel.interrupt(self._task, JobInterrupted())
        return self._runs

    def frame(self) -> FrameType | None:
        frame: FrameType | None = self._task.gr_frame
        return frame

    code = run.__code__


class SimWorld(World):
    """The ground under one rank of a simulated communicator."""

    watched = False
    sends_bytes = False

    def __init__(self, comm: Comm):
        self.comm = comm
        self.rank = comm.rank
        self.size = comm.size
        self.host = "a simulated host"
        self.recorder = comm.cluster.recorder
        self.state = comm.cluster.states.setdefault(comm.world_rank, {})
        self._kernel = comm.cluster.kernel
        self._kernel_rank = self._kernel.ranks[comm.world_rank]
        self._pools = 0

    def members(self) -> tuple[Any, ...]:
        return tuple(self.comm.context.members)

    def now(self) -> int:
        return self._kernel.now

    def mailbox(self) -> Mailbox:
        return SimMailbox(self._kernel, "another task of its rank")

    def channel(self) -> Channel:
        self._pools += 1
        pools: dict[tuple[int, int], SimTransport] = self.comm.cluster.pools
        key = (self.comm.context.number, self._pools)
        if key not in pools:
            pools[key] = SimTransport(self.comm, self._pools)
        return SimChannel(pools[key], self.rank)

    def start(self, role: Role, function: Callable[..., Any], *args: Any, name: str | None = None) -> None:
        def body() -> None:
            this_world(self)
            function(*args)

        task = self._kernel.start(self._kernel_rank, name or role.value, body)
        task.role = role

    def task(self) -> object:
        return self._kernel.task

    def interruptible(self) -> Interruptible:
        return InterruptibleTask(self._kernel)

    def lock(self) -> contextlib.AbstractContextManager[Any]:
        # Tasks take turns only where they wait, and all in one thread, which takes this lock as often as it likes.
        return RealRLock()

    def folder(self) -> str:
        return tempfile.mkdtemp(prefix="bsbpool-simulated-")

    def file_recorder(self, path: str, capture: bool = False) -> FileRecorder:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        calls = os.open(f"{path}.calls", os.O_WRONLY | os.O_CREAT | os.O_EXCL) if capture else None
        header = self.comm.cluster.recorder.trace.header
        return FileRecorder(file, path, header, self.now, 0, self.lock(), calls)

    def window(self, buffer: Any) -> Any:
        from .mpi.windows import Win

        return Win.Create(buffer, comm=self.comm)


def _nth(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
