"""The simulated world: the ground that a pool stands on when its ranks are simulated.

It gives what `bsbpool.worlds.World` asks for, out of the kernel and the network. What a script has to say is
asked for here and decided in `script`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from bsbpool.durations import exact_duration
from bsbpool.exceptions import JobInterrupted
from bsbpool.trace.recording import FileRecorder
from bsbpool.worlds import Channel, Interruptible, Mailbox, MultipartMessage, RankLost, Role, World, this_world

from .choices import Event
from .instant import DEADLINES, LOSSES, NEWS
from .kernel import Happening, Kernel, Rank, Task

if TYPE_CHECKING:
    from .comm import Comm

_NO_LOCK = contextlib.nullcontext()


class SimMailbox(Mailbox):
    """A line of items, and the task that waits for one."""

    def __init__(self, kernel: Kernel, why: str):
        self._kernel = kernel
        self._why = why
        self._items: deque[Any] = deque()
        self._waiting: Task | None = None

    def put(self, item: Any) -> None:
        self._items.append(item)
        if self._waiting is not None:
            self._kernel.wake(self._waiting, NEWS)

    def get(self, until: int | None = None) -> Any:
        items = self._items
        if not items:
            kernel = self._kernel
            if until == 0:
                kernel.check_open()
                return None
            self._waiting = kernel.task
            while not items and kernel.park(self._why, until, DEADLINES):
                pass
            self._waiting = None
            if not items:
                return None
        return items.popleft()


class SimTransport(Happening):
    """The channels of one pool on all ranks of its communicator: where messages arrive, and deaths are told."""

    def __init__(self, comm: Comm, serial: int):
        self.cluster = comm.cluster
        self.members = comm.group.members
        self.key = (comm.group.context, serial)
        self.why = f"a message for its pool (the {_nth(serial)} on this communicator)"
        # By rank: its mailbox while its channel is open; before, what came early; after, None.
        self._boxes: dict[int, SimMailbox | list[Any] | None] = {}
        # By source and destination: what is under way between them, oldest first, and the destination.
        self._links: dict[tuple[int, int], tuple[deque[Any], int]] = {}
        self.cluster.kernel.on_death.append(self._died)

    def open(self, rank: int) -> SimMailbox:
        """The mailbox of a rank that opens its channel."""
        early = self._boxes.get(rank) or []
        mailbox = self._boxes[rank] = SimMailbox(self.cluster.kernel, self.why)
        assert isinstance(early, list)
        for item in early:
            mailbox.put(item)
        for dead in self.cluster.kernel.dead:
            if dead.index in self.members:
                self._tell_lost(self.members.index(dead.index), rank)
        return mailbox

    def close(self, rank: int) -> None:
        """A rank closed its channel: what arrives for it from now on is dropped."""
        self._boxes[rank] = None

    def send(self, source: int, dest: int, item: Any, size: int) -> None:
        """Put `item`, of `size` bytes, on its way."""
        kernel, to = self.cluster.kernel, self.members[dest]
        if kernel.ranks[to].dead_at is not None:
            return
        link = self._links.get((source, dest))
        if link is None:
            link = self._links[source, dest] = (deque(), dest)
        faults = self.cluster.faults
        longer = 0 if faults is None or type(item) is RankLost else faults.before_send(self.members[source], to)
        link[0].append((source, item))
        arrival = self.cluster.network.arrival(kernel.now, self.members[source], to, size, longer)
        if type(item) is RankLost:
            kernel.in_order(arrival, LOSSES, source / len(self.members), self._deliver, link)
        else:
            kernel.at(arrival, self._deliver, link)

    def happening(self, argument: tuple[deque[Any], int]) -> Event:
        under_way, dest = argument
        return Event(self.members[dest], f"a message of its pool arrives from rank {self.members[under_way[0][0]]}")

    def _deliver(self, link: tuple[deque[Any], int]) -> None:
        # Always the oldest: which link delivers first is a choice, but messages of one link keep their order.
        under_way, dest = link
        item = under_way.popleft()
        box = self._boxes.get(dest)
        if isinstance(box, SimMailbox):
            box.put(item)
        elif box is not None:
            box.append(item)
        elif dest not in self._boxes:
            self._boxes[dest] = [item]

    def _died(self, dead: Rank) -> None:
        """Those whose channels are open hear of it after the time that a message takes."""
        if dead.index in self.members:
            number = self.members.index(dead.index)
            for rank, box in list(self._boxes.items()):
                if isinstance(box, SimMailbox):
                    self._tell_lost(number, rank)

    def _tell_lost(self, number: int, rank: int) -> None:
        died = self.cluster.kernel.ranks[self.members[number]].dead_at
        assert died is not None
        self.send(number, rank, RankLost(f"died at {exact_duration(died)}", "a simulated host"), 0)


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

    def send(self, rank: int, message: bytes, parts: Sequence[Any] = (), last: bool = False) -> None:
        if self._script is not None:
            self._script.send(self._rank)
        if not parts:
            self._lines.send(self._rank, rank, message, len(message))
            return
        copies = [bytearray(part) for part in parts]
        self._lines.send(self._rank, rank, MultipartMessage(message, copies), len(message) + sum(map(len, copies)))

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
        try:
            return function()
        finally:
            self._runs = False

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
        return tuple(self.comm.group.members)

    def now(self) -> int:
        return self._kernel.now

    def mailbox(self) -> Mailbox:
        return SimMailbox(self._kernel, "another task of its rank")

    def channel(self) -> Channel:
        self._pools += 1
        pools: dict[tuple[int, int], SimTransport] = self.comm.cluster.pools
        key = (self.comm.group.context, self._pools)
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
        return _NO_LOCK  # tasks take turns only where they wait

    def folder(self) -> str:
        return tempfile.mkdtemp(prefix="bsbpool-simulated-")

    def file_recorder(self, path: str, capture: bool = False) -> FileRecorder:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        calls = os.open(f"{path}.calls", os.O_WRONLY | os.O_CREAT | os.O_EXCL) if capture else None
        header = self.comm.cluster.recorder.trace.header
        return FileRecorder(file, path, header, self.now, 0, self.lock(), calls)

    def window(self, buffer: Any) -> Any:
        from .window import Win

        return Win.Create(buffer, comm=self.comm)


def _nth(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
