"""Windows: memory of one rank that others read and write, under locks or between fences.

Every access happens at once when its time on the network has passed, so it is done when the method
returns; locks are granted in the order in which they were asked for, if nothing else is chosen.
"""

from __future__ import annotations

import functools
from collections import deque
from typing import Any, NamedTuple

from ..choices import Granted, Kind
from ..chooser import Chooser
from ..errors import MPIError, TruncationError
from ..kernel import Task
from .buffers import Buffer
from .communicators import Comm, current, self_comm
from .constants import LOCK_EXCLUSIVE, LOCK_SHARED, means
from .contexts import Context
from .datatypes import BYTE, Datatype, datatype, is_same
from .operations import OPS, Op, operation
from .reductions import OF_WINDOWS, check, combine

SUM, REPLACE = OPS["SUM"], OPS["REPLACE"]
MODE_NOCHECK, MODE_NOSTORE, MODE_NOPUT, MODE_NOPRECEDE, MODE_NOSUCCEED = 1024, 2048, 4096, 8192, 16384


class _Asker(NamedTuple):
    """A rank that waits for a lock."""

    rank: int
    exclusive: bool
    task: Task


class _Lock:
    """The lock of one rank's memory: any number of shared holders, or one exclusive."""

    def __init__(self, context: Context, target: int):
        self._context = context
        self._target = target
        #: rank: whether its lock is exclusive.
        self.holders: dict[int, bool] = {}
        self._queue: deque[_Asker] = deque()

    def acquire(self, rank: int, exclusive: bool) -> None:
        kernel = self._context.cluster.kernel
        self._queue.append(_Asker(rank, exclusive, kernel.task))
        self._grant()
        while rank not in self.holders:
            kernel.park(self._why)

    def release(self, rank: int) -> None:
        del self.holders[rank]
        self._grant()

    def _grant(self) -> None:
        kernel = self._context.cluster.kernel
        while self._queue:
            asker = self._queue[0] if kernel.chooser is None else self._chosen(kernel.chooser)
            if asker is None or not self._free_for(asker):
                return
            self._queue.remove(asker)
            # The dead don't release what they hold, but they don't ask any more either.
            if kernel.ranks[self._context.members[asker.rank]].dead_at is None:
                self.holders[asker.rank] = asker.exclusive
                kernel.wake(asker.task)

    def _free_for(self, asker: _Asker) -> bool:
        return not self.holders or not (asker.exclusive or any(self.holders.values()))

    def _chosen(self, chooser: Chooser) -> _Asker | None:
        """Who gets it now: by default who asked first, or nobody as long as that one has to wait."""
        could: list[_Asker | None] = [asker for asker in self._queue if self._free_for(asker)]
        if not could or could[0] is not self._queue[0]:
            could.insert(0, None)
        target = self._context.members[self._target]
        return chooser.one_of(Kind.LOCK, target, "Lock", could, self._alternative)

    def _alternative(self, asker: _Asker | None) -> Granted:
        if asker is None:
            return Granted(None, False)
        return Granted(self._context.members[asker.rank], asker.exclusive)

    def _why(self) -> str:
        by = " and ".join(self._context.someone(r) for r in list(self.holders)[:5]).rstrip(",")
        kind = "an exclusive" if any(self.holders.values()) else "a shared"
        ahead = f" and {len(self._queue)} ask for it" if len(self._queue) > 1 else ""
        target = self._context.members[self._target]
        return f"the lock of rank {target}'s window: {kind} one is held by {by}{ahead}"


class _Shared:
    def __init__(self, context: Context, memories: list[memoryview], units: list[int]):
        self.memories = memories
        self.units = units
        self.locks = [_Lock(context, rank) for rank in range(len(memories))]


class Win:
    """A window, as one simulated rank has it; made with `Create` or `Allocate`, by all ranks together."""

    def __init__(self, comm: Comm, memory: Any, disp_unit: int):
        # A duplicate, as in MPI: the window's fences are no collective calls of the program's communicator.
        self._comm = comm.Dup()
        comm.cluster.shares_memory = True
        self._memory = memory
        view = Buffer([memory, BYTE]).bytes
        call = self._comm._together("Win.Create", (view, disp_unit))
        if call.result is None:
            views = [call.payloads[r] for r in range(comm.size)]
            call.result = _Shared(self._comm.context, [v for v, _ in views], [u for _, u in views])
        self._shared: _Shared = call.result
        self._mine: set[int] = set()
        self._fenced = False

    @classmethod
    def Create(cls, memory: Any, disp_unit: int = 1, info: Any = None, comm: Any = None) -> Win:
        """A window over `memory` (a buffer; None: nothing of this rank's).

        :param disp_unit: bytes of one unit of the others' displacements.
        :param comm: the communicator whose ranks all call this; by default MPI.COMM_SELF.
        """
        return cls(_or_self(comm), memory, disp_unit)

    @classmethod
    def Allocate(cls, size: int, disp_unit: int = 1, info: Any = None, comm: Any = None) -> Win:
        """A window over `size` new bytes of zeros, found with `tomemory`."""
        return cls(_or_self(comm), bytearray(size), disp_unit)

    def tomemory(self) -> memoryview:
        """This rank's memory."""
        return self._shared.memories[self._comm.rank]

    @property
    def memory(self) -> Any:
        """What this rank created the window over."""
        return self._memory

    def Free(self) -> None:
        """Give the window up. All ranks call it.

        :raises MPIError: this rank holds a lock of it.
        """
        if self._mine:
            raise MPIError(f"Free of a window while this rank has rank {min(self._mine)} locked: unlock it first")
        self._comm.Free()

    free = Free

    # -- when access is allowed --------------------------------------------------------------------

    def Lock(self, rank: int, lock_type: int = LOCK_EXCLUSIVE, assertion: int = 0) -> None:
        """Wait for the lock of `rank`'s memory; who asked first gets it first.

        :raises MPIError: this rank holds it, or `lock_type` is neither LOCK_EXCLUSIVE nor LOCK_SHARED.
        """
        target = self._comm._peer(rank, "rank")
        exclusive = means(lock_type, LOCK_EXCLUSIVE)
        if not exclusive and not means(lock_type, LOCK_SHARED):
            raise MPIError(f"lock_type={lock_type!r}: it is MPI.LOCK_EXCLUSIVE or MPI.LOCK_SHARED")
        if target is None:
            return
        if target in self._mine:
            raise MPIError(f"this rank holds the lock of rank {target} already")
        self._shared.locks[target].acquire(self._comm.rank, exclusive)
        self._mine.add(target)

    def Unlock(self, rank: int) -> None:
        """Give the lock of `rank`'s memory back.

        :raises MPIError: this rank doesn't hold it.
        """
        target = self._comm._peer(rank, "rank")
        if target is None:
            return
        if target not in self._mine:
            raise MPIError(f"Unlock({rank}): this rank doesn't hold the lock of rank {target}")
        self._mine.remove(target)
        self._shared.locks[target].release(self._comm.rank)

    def Lock_all(self, assertion: int = 0) -> None:
        """Wait for a shared lock of every rank's memory."""
        for rank in range(self._comm.size):
            self.Lock(rank, LOCK_SHARED)

    def Unlock_all(self) -> None:
        """Give every lock back."""
        for rank in range(self._comm.size):
            self.Unlock(rank)

    def Fence(self, assertion: int = 0) -> None:
        """Wait until all ranks are here; until the next fence all may access all memory."""
        self._comm._together("Fence")
        self._fenced = True

    def Flush(self, rank: int) -> None:
        """Nothing to wait for: accesses are done when their methods return."""

    Flush_local = Flush

    def Flush_all(self) -> None:
        """Nothing to wait for, as in `Flush`."""

    Flush_local_all = Sync = Flush_all

    # -- access ------------------------------------------------------------------------------------

    def _target(self, call: str, rank: int, target: Any, buffer: Buffer, *, typed: bool = False) -> memoryview | None:
        """The bytes of `rank`'s memory that a call is about, once the network brought it there.

        :param buffer: what they go to, or come from; how many and of which type they are unless `target` says so.
        :param typed: whether both must be of one type.
        """
        to = self._comm._peer(rank, "target_rank")
        if to is None:
            return None
        if to not in self._mine and not self._fenced:
            raise MPIError(f"{call} of rank {to}'s window without its lock: call Lock({to}) or Fence() first")
        displacement, count, type = _place(target, buffer)
        if typed and not is_same(type, buffer.type):
            raise MPIError(f"{call}: the buffer is of {buffer.type!r} and the target of {type!r}: name the same type")
        offset, size = displacement * self._shared.units[to], count * type.size
        memory = self._shared.memories[to]
        if offset < 0 or count < 0 or offset + size > len(memory):
            end = offset + size
            raise MPIError(f"{call} of bytes {offset} to {end} of rank {to}'s window, which has {len(memory)}")
        kernel = self._comm.cluster.kernel
        end = kernel.now + self._comm.cluster.network.takes(size)
        while kernel.now < end:
            kernel.park(functools.partial("{} of rank {}'s window".format, call, to), end)
        return memory[offset : offset + size]

    def Get(self, origin: Any, target_rank: int, target: Any = None) -> None:
        """Read `target_rank`'s memory into `origin`.

        :param target: where, in units of its rank; or that with a count, or a count and a datatype. By default as many
            items as `origin` has, from the first on.
        :raises TruncationError: that is more than `origin` takes.
        """
        buffer = Buffer(origin)
        memory = self._target("Get", target_rank, target, buffer)
        if memory is not None:
            buffer.put(memory, f"the window of rank {target_rank}")

    def Put(self, origin: Any, target_rank: int, target: Any = None) -> None:
        """Write `origin` into `target_rank`'s memory; it must fit into the target, if that has a count."""
        self._accumulate("Put", origin, target_rank, target, REPLACE)

    def Accumulate(self, origin: Any, target_rank: int, target: Any = None, op: Any = SUM) -> None:
        """Combine `origin` with `target_rank`'s memory, item by item."""
        self._accumulate("Accumulate", origin, target_rank, target, operation(op))

    def _accumulate(self, call: str, origin: Any, rank: int, target: Any, op: Op) -> None:
        buffer = Buffer(origin)
        if call != "Put":
            _check(call, op, buffer)
        data = bytes(buffer.bytes)
        memory = self._target(call, rank, target, buffer, typed=call != "Put")
        if memory is not None and data:
            if memory.readonly:
                raise MPIError(f"{call}: the window of rank {rank} is over read-only memory")
            if len(data) > len(memory):
                raise TruncationError(f"{call} of {len(data)} bytes, and the target has a count of {len(memory)} bytes")
            memory = memory[: len(data)]
            memory[:] = combine(op, buffer.type, [memory, data])

    def Get_accumulate(self, origin: Any, result: Any, target_rank: int, target: Any = None, op: Any = SUM) -> None:
        """Read `target_rank`'s memory into `result`, and combine `origin` with it, in one step."""
        nothing = [None, 0, BYTE]
        buffer, into, op = Buffer(nothing if origin is None else origin), Buffer(result), operation(op)
        _check("Get_accumulate", op, buffer)
        memory = self._target("Get_accumulate", target_rank, target, into, typed=True)
        if memory is not None:
            into.put(bytes(memory), f"the window of rank {target_rank}")
            if buffer.bytes:
                memory[:] = combine(op, buffer.type, [memory, buffer.bytes])

    def Fetch_and_op(self, origin: Any, result: Any, target_rank: int, target_disp: int = 0, op: Any = SUM) -> None:
        """`Get_accumulate` of one item."""
        self.Get_accumulate(origin, result, target_rank, target_disp, op)

    def Compare_and_swap(self, origin: Any, compare: Any, result: Any, target_rank: int, target_disp: int = 0) -> None:
        """Read one item into `result`; if it equals `compare`, replace it with `origin`, in one step."""
        new = Buffer(origin).bytes
        memory = self._target("Compare_and_swap", target_rank, target_disp, Buffer(origin))
        if memory is not None:
            Buffer(result).put(bytes(memory), f"the window of rank {target_rank}")
            if memory == Buffer(compare).bytes:
                memory[:] = new


def _check(call: str, op: Op, buffer: Buffer) -> None:
    if op.user:
        raise MPIError(f"{call}: {op!r} is an operation of the program's own, and windows have MPI's only")
    check(call, op, buffer.type, OF_WINDOWS)


def _place(target: Any, buffer: Buffer) -> tuple[int, int, Datatype]:
    """A displacement, a count and a datatype, of what mpi4py takes for a target."""
    parts = [*target] if isinstance(target, list | tuple) else [target or 0]
    if len(parts) > 3:
        raise ValueError(f"target={target!r}: it is a displacement, or that with a count, and a datatype")
    displacement = parts[0] if parts else 0
    type = datatype(parts[2]) if len(parts) > 2 else buffer.type
    count = parts[1] if len(parts) > 1 else len(buffer) // type.size
    return int(displacement), int(count), type


def _or_self(comm: Any) -> Comm:
    if comm is not None:
        given: Comm = comm
        return given
    here = current()
    return self_comm(here.cluster, here.world_rank)
