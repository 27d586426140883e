"""The state of a window: that of one rank, and the common state of all its ranks.

Permissions belong in `window_epochs`; the memory belongs in `window_memory`.
"""

from __future__ import annotations

import functools
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..choices import Kind
from ..errors import MPIError
from ..kernel import Task
from ..late_turns import LateTurns
from .collective_call import Part, none, present
from .contexts import Context
from .handles import State
from .integer_arguments import integer
from .window_epochs import Epochs
from .window_locks import WindowLock
from .window_looks import WindowLooks
from .window_memory import WIN_FLAVOR_ALLOCATE, WIN_FLAVOR_SHARED, Memory


class UnderWay(Protocol):
    """Interface of an access with a request, as `window_access.Access` implements it."""

    rank: int | None
    done: bool

    def wait_for(self) -> None:
        """Wait until the access has happened."""


class Shared:
    """What the ranks of a window share.

    :param flavor: how its memory came about.
    :param memories: what each rank gave.
    """

    def __init__(self, context: Context, flavor: int, memories: list[Memory]):
        self.context, self.flavor, self.memories = context, flavor, memories
        self._reached: set[int] = set()
        #: by rank: how many times accesses have changed its memory, if their order is decided late.
        self.changes = [0] * len(memories)
        versions = [functools.partial(self.changes.__getitem__, rank) for rank in range(len(memories))]
        self.locks = [WindowLock(context, rank, version) for rank, version in enumerate(versions)]
        #: where the accesses that happen as a whole take turns, if their order is decided late, by rank.
        self.turns: list[LateTurns] = []
        if (late := context.cluster.late) is not None:
            owners = zip(context.members, versions, strict=True)
            self.turns = [LateTurns(late, owner, Kind.ACCESS, version) for owner, version in owners]
        #: when what one rank told another arrives there, of Post ("post") and Complete ("complete"), and who waits.
        self.told: dict[tuple[str, int, int], deque[int]] = {}
        self.waiting: list[Task] = []
        #: the epochs of exposure of which a rank has said that nobody writes into its memory, by rank and `expose`.
        self.no_put: set[tuple[int, int | None]] = set()

    @property
    def members(self) -> Sequence[int]:
        """The numbers of its ranks in the simulation."""
        return self.context.members

    def bytes_of(self, rank: int) -> memoryview | None:
        """Return the memory of a rank; None if other ranks have it too, or if it was attached."""
        return None if rank in self._reached else self.memories[rank].view

    def can_reach(self, *ranks: int) -> bool:
        """Return whether these ranks can have each other's memory as their own."""
        if self.flavor == WIN_FLAVOR_ALLOCATE:
            return self.context.cluster.hosts.together([self.members[rank] for rank in ranks])
        return self.flavor == WIN_FLAVOR_SHARED

    def reach(self, *ranks: int) -> None:
        """Note that other ranks have the memory of these, too."""
        self._reached.update(ranks)
        self.context.cluster.reads_and_writes = True

    def tell(self, what: str, sender: int, receiver: int) -> None:
        """Tell another rank that this rank has called Post or Complete."""
        cluster = self.context.cluster
        arrives = cluster.kernel.now + cluster.network.takes(0)
        self.told.setdefault((what, sender, receiver), deque()).append(arrives)
        if cluster.races is not None:
            cluster.races.arrived((self, what, sender, receiver), self.context.members[sender])
        waiting, self.waiting = self.waiting, []
        for task in waiting:
            cluster.kernel.wake(task)

    def heard(self, what: str, sender: int, receiver: int) -> bool:
        """Return whether a rank was told."""
        told = self.told.get((what, sender, receiver))
        return bool(told and told[0] <= self.context.cluster.kernel.now)

    def take(self, what: str, sender: int, receiver: int, why: Callable[[], str]) -> None:
        """Wait until a rank was told."""
        kernel, key = self.context.cluster.kernel, (what, sender, receiver)
        while not self.told.get(key):
            self.waiting.append(kernel.task)
            kernel.park(why)
        arrives = self.told[key].popleft()
        while kernel.now < arrives:
            kernel.park(why, arrives)
        if self.context.cluster.races is not None:
            self.context.cluster.races.left((self, *key), self.context.members[receiver])


class WindowEnd(State):
    """A window, as one rank has it."""

    def __init__(self, shared: Shared, rank: int, memory: Any, hints: dict[str, str]):
        self.shared, self.rank, self.memory = shared, rank, memory
        self.context = shared.context
        self.cluster = shared.context.cluster
        self.memories = shared.memories
        self.size = len(shared.memories)
        self.epochs = Epochs()
        self.fences = 0
        self.name = ""
        self.hints = {**hints}
        #: accesses with a request that may not have happened yet.
        self.under_way: list[UnderWay] = []
        #: what it has found there, so that time passes for who looks in a loop.
        self.looks = WindowLooks(shared.context.cluster.kernel)
        self.freed = False
        if self.cluster.made is not None:
            self.cluster.made.append(weakref.ref(self))
        if self.cluster.audit is not None:
            self.cluster.audit.made(self)
        if self.cluster.races is not None:
            self.cluster.races.opened(shared, rank)

    def peer(self, rank: Any, what: str) -> int:
        """Return a rank as an index.

        :raises MPIError: there is none.
        """
        rank = integer(rank, what, "a rank, an integer")
        if not 0 <= rank < self.size:
            raise MPIError(f"{what}={rank!r} is no rank: this window has the ranks 0 to {self.size - 1}", "ERR_RANK")
        return int(rank)

    def ranks_of(self, call: str, group: Any) -> list[int]:
        """Return the ranks of a group, by their numbers in the window.

        :raises MPIError: one of them is not of the window.
        """
        places = {member: rank for rank, member in enumerate(self.context.members)}
        if not hasattr(group, "Translate_ranks"):
            raise TypeError(f"{call}: group must be an MPI.Group, not {type(group).__name__}")
        members = group._own(call).members
        if not set(members) <= set(places):
            raise MPIError(f"{call}: a rank of the group is not of the window", "ERR_GROUP")
        return [places[member] for member in members]

    def posted(self, call: str) -> Sequence[int]:
        """The ranks that Post named.

        :raises MPIError: there was no Post.
        """
        if self.epochs.posted is None:
            raise MPIError(f"{call} without Post", "ERR_RMA_SYNC")
        return self.epochs.posted

    def together(self, call: str, detail: str = "") -> None:
        """Make a collective call of the window, and wait for all ranks.

        :param detail: what all ranks must say alike.
        """
        part = Part(f"Win.{call}", present, none, detail=detail)
        self.context.enter(self.rank, part, None, 0).wait(self.rank, part)

    def waits_for(self, rank: int, call: str) -> str:
        """Return what this rank waits for until another rank has made a call, in words."""
        return f"{self.context.someone(rank)} to call Win.{call}"

    def finish(self, target: int | None = None, local: bool = False) -> None:
        """Wait until this rank's accesses to `target`, or (None) to all ranks, have happened.

        :param local: whether MPI says so of its buffers only.
        """
        for access in self.under_way:
            if target is None or access.rank == target:
                access.wait_for()
        self.under_way = [access for access in self.under_way if not access.done]
        if self.cluster.buffers is not None:
            self.cluster.buffers.accessed(self.shared, self.rank, target, self.context.members[self.rank])
        if self.cluster.races is not None and not local:
            self.cluster.races.ended(self.shared, self.rank, target)

    def lock(self, target: int, exclusive: bool) -> None:
        """Wait for the lock of a rank's memory."""
        self.shared.locks[target].acquire(self.rank, exclusive)
        if self.cluster.races is not None:
            self.cluster.races.locked(self.shared, self.rank, target, exclusive)

    def unlock(self, target: int) -> None:
        """Release the lock of a rank's memory."""
        lock = self.shared.locks[target]
        if self.cluster.races is not None:
            self.cluster.races.unlocked(self.shared, self.rank, target, lock.holders[self.rank])
        lock.release(self.rank)

    def expose(self, epoch: int, reads_only: bool) -> None:
        """Allow others to access this rank's memory without a lock, from now on.

        :param epoch: the number of fences before; 0: it is between Post and Wait.
        :param reads_only: whether the program says that nobody writes into it.
        """
        if reads_only:
            self.shared.no_put.add((self.rank, epoch))
        if self.cluster.races is not None:
            self.cluster.races.exposed(self.shared, self.rank, epoch)

    def withdraw(self, epoch: int) -> None:
        """End that permission."""
        if not epoch:
            self.shared.no_put.discard((self.rank, epoch))
        if self.cluster.races is not None:
            self.cluster.races.withdrawn(self.shared, self.rank, epoch)
