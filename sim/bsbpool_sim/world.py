"""The simulated world: implements `bsbpool.worlds` for pools on simulated ranks.

It implements the interface `bsbpool.worlds.World` with the kernel and the network. It asks `script` for the effects of
scripts.
"""

from __future__ import annotations

import contextlib
import functools
import operator
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

from .choices import ComesFirst
from .kernel import Happening, Kernel, Rank, Runs, Task
from .same_instant import DEADLINES, LOSSES, NEWS
from .tasks import current_greenlet

if TYPE_CHECKING:
    from .mpi.communicators import Comm


class SimMailbox(Mailbox):
    """A queue of items, and the task that waits for one."""

    def __init__(self, kernel: Kernel, why: str):
        self._kernel = kernel
        self._why = why
        self._items: deque[Any] = deque()
        self._waiting: Runs | None = None

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
        if until is not None and until == 0:  # comparing None takes longer
            if kernel.closing:
                kernel.check_open()
            return None
        self._waiting = current_greenlet()
        while kernel.park(self._why, until, DEADLINES) and not items:
            pass
        self._waiting = None
        return items.popleft() if items else None


class TaskOnCall(SimMailbox, Runs):
    """The calls for a task, which is made when there is one about which it would do something.

    Until then it stands for that task in the events of the kernel, which are the same in number and order.

    :param make: makes the task, which is called with this.
    :param wanted: whether it would do anything now.
    """

    def __init__(
        self, kernel: Kernel, rank: Rank, name: str, make: Callable[[Mailbox], Task], wanted: Callable[[], bool]
    ):
        super().__init__(kernel, "another task of its rank")
        self.rank = rank
        self.name = name
        self._make = make
        self._wanted = wanted
        self._made = False
        kernel.begin(self)

    def put(self, item: Any) -> None:
        if self._made:
            super().put(item)
        else:
            self._items.append(item)
            self._kernel.wake(self, NEWS)

    def switch(self) -> None:
        """What the task would do now: begin, or look at what was called."""
        if self._wanted():
            self._made = True
            task = self._make(self)
            if not self._kernel.has_failed():  # Ctrl-C
                task.switch()
        else:
            self._items.clear()
            self.parked = True


class PoolLink(Happening):
    """The messages of one pool on their way from one rank to another."""

    __slots__ = (
        "_arrival", "_event", "_happening", "_items", "_key", "_under_way",
        "boxes", "cluster", "dest", "kernel", "lines", "rank", "sent_by", "source", "target",
    )  # fmt: skip

    def __init__(self, lines: SimTransport, source: int, dest: int):
        members = lines.members
        self.lines = lines
        self.cluster = lines.cluster
        kernel: Kernel = lines.cluster.kernel
        self.kernel = kernel
        self.source = source
        self.dest = dest
        #: the numbers of both in the simulation.
        self.sent_by = members[source]
        self.target = members[dest]
        #: who receives.
        self.rank = kernel.ranks[self.target]
        self.boxes = lines.boxes
        # What arrives in the last event, as mailboxes have it; its number, if it is still to come, and its time.
        self._items: list[tuple[int, Any]] = []
        self._event = self._arrival = -1
        # Where it is a choice which event comes first: what arrives in each of them, oldest first.
        self._under_way: deque[list[tuple[int, Any]]] | None = None if kernel.events is None else deque()
        self._key = (self.target, self.sent_by, *lines.key)
        self._happening: ComesFirst | None = None

    def happening(self, argument: Any) -> ComesFirst:
        if self._happening is None:  # exploring asks for it at each message
            self._happening = ComesFirst(self.target, f"a message of its pool arrives from rank {self.sent_by}")
        return self._happening

    def key(self) -> tuple[Any, ...]:
        return self._key

    def send(self, item: Any, size: int) -> None:
        """Send `item`, which has `size` bytes."""
        kernel, faults = self.kernel, self.cluster.faults
        if kernel.work is not None:
            kernel.count_work()
        if self.rank.dead_at is not None:
            return
        network, is_loss = self.cluster.network, type(item) is RankLost
        longer = 0
        if faults is not None and not is_loss:
            longer = faults.before_send(self.sent_by, self.target, self.source > 0)
        arrival = kernel.now
        if longer or not network.instant:
            arrival = network.arrival(arrival, self.sent_by, self.target, size, longer)
        if self._event == kernel.sequence and self._arrival == arrival and kernel.events is None and not is_loss:
            # Nothing can come between the last message and this one: a rank tells of the jobs of its line.
            self._items.append((self.source, item))
        else:
            items = [(self.source, item)]
            if is_loss:
                place = self.source / len(self.lines.members)
                kernel.in_order(arrival, LOSSES, place, self.deliver, self._listed(items))
                return
            if (
                arrival == kernel.now and self._under_way is None
            ):  # as `at`, without its call: each job has two messages
                kernel.sequence += 1
                kernel.work_now.append((self.deliver, items))
            else:
                kernel.at(arrival, self.deliver, self._listed(items))
            self._items, self._event, self._arrival = items, kernel.sequence, arrival
        if faults is not None:
            faults.after_send()

    def _listed(self, items: list[tuple[int, Any]]) -> list[tuple[int, Any]] | None:
        """What an event in which these arrive is called with."""
        if self._under_way is None:
            return items
        self._under_way.append(items)
        return None

    def deliver(self, items: list[tuple[int, Any]] | None) -> None:
        # Always the oldest: which link delivers first is a choice, but messages of one link keep their order.
        under_way = self._under_way
        if under_way is not None:
            items = under_way.popleft()
        assert items is not None
        if items is self._items:
            self._event = -1
        box = self.boxes.get(self.dest)
        if isinstance(box, SimChannel):
            box._items += items
            task = box._waiting
            if task is not None and task.parked:
                self.kernel.wake(task, NEWS)
        elif box is not None:
            box += items
        elif self.dest not in self.boxes:
            self.boxes[self.dest] = items


class SimTransport:
    """The channels of one pool on all ranks of its communicator. It delivers messages, and tells each channel of
    deaths.
    """

    def __init__(self, comm: Comm, serial: int):
        self.cluster = comm.cluster
        self.members = comm.context.members
        self.key = (comm.context.number, serial)
        self.why = f"a message for its pool (the {_nth(serial)} on this communicator)"
        # By rank: its channel while that is open; before, what came early; after, None.
        self.boxes: dict[int, SimChannel | list[Any] | None] = {}
        self._links: dict[tuple[int, int], PoolLink] = {}
        self.cluster.kernel.on_death.append(self._died)

    def open(self, rank: int, channel: SimChannel) -> None:
        """Note that a rank opens its channel."""
        early = self.boxes.get(rank)
        self.boxes[rank] = channel
        if early is not None:
            assert isinstance(early, list)
            channel._items += early
        for dead in self.cluster.kernel.dead:
            if dead.index in self.members:
                self._tell_lost(self.members.index(dead.index), rank)

    def close(self, rank: int) -> None:
        """Note that a rank closed its channel: messages that arrive for it later are dropped."""
        self.boxes[rank] = None

    def link(self, source: int, dest: int) -> PoolLink:
        """Return the link from one rank to another."""
        link = self._links.get((source, dest))
        if link is None:
            link = self._links[source, dest] = PoolLink(self, source, dest)
        return link

    def dissolve(self) -> None:
        """Drop the references to its links and channels, once the run is over."""
        self._links.clear()
        self.boxes.clear()

    def _died(self, dead: Rank) -> None:
        """Those whose channels are open hear of it after the time that a message takes."""
        if dead.index in self.members:
            number = self.members.index(dead.index)
            for rank, box in list(self.boxes.items()):
                if isinstance(box, SimChannel):
                    self._tell_lost(number, rank)

    def _tell_lost(self, number: int, rank: int) -> None:
        dead = self.members[number]
        died = self.cluster.kernel.ranks[dead].dead_at
        assert died is not None
        self.link(number, rank).send(RankLost(died, self.cluster.hosts.told(dead)), 0)


class SimChannel(SimMailbox, Channel):
    """Messages of one pool on one simulated rank."""

    def __init__(self, lines: SimTransport, rank: int):
        super().__init__(lines.cluster.kernel, lines.why)
        self._lines = lines
        self._rank = rank
        # By the rank to which they go.
        self._links: dict[int, PoolLink] = {}
        self._network = lines.cluster.network
        self._script = lines.cluster.script
        self.scripted = self._script is not None
        self.calls_only = not self.scripted
        lines.open(rank, self)

    def send(self, rank: int, message: Any, parts: Sequence[Any] = (), last: bool = False) -> None:
        if self._script is not None:
            self._script.send(self._rank)
        link = self._links.get(rank)
        if link is None:
            link = self._links[rank] = self._lines.link(self._rank, rank)
        # What a message would be as bytes takes time to find out, and counts only where its length does.
        size = len(pickle.dumps(message, 5)) if self._network.weighs else 0
        if parts:
            copies = [bytearray(part) for part in parts]
            message, size = MultipartMessage(message, copies), size + sum(map(len, copies))
        link.send(message, size)
        if last and not self._rank and link.cluster.kernel.ranks[link.sent_by].dead_at is None:
            let_go = link.cluster.let_go
            let_go[link.target] = let_go.get(link.target, 0) + 1

    def close(self) -> None:
        self._lines.close(self._rank)

    def introduce(self, job: int, name: str, context: Mapping[str, Any]) -> None:
        assert self._script is not None
        self._script.introduce(self._lines.key, job, name, context)

    def perform(self, job: int, function: Callable[[], Any]) -> Any:
        script = self._script
        return function() if script is None else script.perform(self._lines.key, job, function)


class InterruptibleTask(Interruptible):
    """A function in a simulated task, which can be interrupted where it waits."""

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
    """The world of one rank of a simulated communicator."""

    watched = False
    sends_bytes = False

    def __init__(self, comm: Comm):
        self.comm = comm
        self.rank = comm.rank
        self.size = comm.size
        self.host = comm.cluster.hosts.told(comm.world_rank)
        self.recorder = comm.cluster.recorder
        self.state = comm.cluster.states.setdefault(comm.world_rank, {})
        kernel = self._kernel = comm.cluster.kernel
        if type(self).now is SimWorld.now:  # a replay has a clock of its own
            # In place of the method, which takes twice as long: each job asks twice.
            self.now = functools.partial(_now, kernel)  # type: ignore[method-assign]
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
        self._kernel.begin(self._make_task(role, name or role.value, function, *args))

    def start_on_call(
        self, role: Role, function: Callable[[Mailbox], Any], wanted: Callable[[], bool], name: str | None = None
    ) -> Mailbox:
        title = name or role.value
        make = functools.partial(self._make_task, role, title, function)
        return TaskOnCall(self._kernel, self._kernel_rank, title, make, wanted)

    def _make_task(self, role: Role, name: str, function: Callable[..., Any], *args: Any) -> Task:
        def body() -> None:
            this_world(self)
            function(*args)

        task = self._kernel.make(self._kernel_rank, name, body)
        task.role = role
        return task

    def task(self) -> object:
        return self._kernel.task

    def interruptible(self) -> Interruptible:
        return InterruptibleTask(self._kernel)

    def lock(self) -> contextlib.AbstractContextManager[Any]:
        # Tasks take turns only where they wait, and all in one thread, which takes this lock as often as it likes.
        return self.comm.cluster.lock

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


#: The time of a kernel.
_now = operator.attrgetter("now")


def _nth(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
