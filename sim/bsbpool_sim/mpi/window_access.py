"""Access to windows: putting, getting and accumulating. `window_epochs` decides when it is allowed.

An access takes the network's time; then it happens at once, as a whole. A blocking method waits for that; for a method
that returns a request, completing the request, or the end of the epoch, waits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, Self

from ..checks.buffer_races import Lease
from ..checks.window_uses import ANY, WindowUse
from ..choices import Accesses, ComesFirst
from ..errors import MPIError, TruncationError
from ..late_turns import Asked, LateTurns, Use
from . import predefined
from .buffers import Buffer
from .constants import PROC_NULL, means
from .datatypes import is_same
from .handles import Handle
from .integer_arguments import LONG, integer
from .operations import OPS, Operation, operation
from .reductions import OF_WINDOWS, check, combine
from .requests import Request
from .window_memory import Items, basic, target_of
from .window_state import Shared, WindowEnd

SUM = OPS["SUM"]

#: What items hold that can be compared with others.
_COMPARED = (predefined.INTEGER, predefined.FORTRAN_INTEGER, predefined.LOGICAL, predefined.BYTES)


class Access(Request):
    """An access that is under way, or done.

    :param call: the method.
    :param rank: the rank whose memory it is about; None: none.
    :param size: bytes that the network brings there.
    :param act: what it does when it happens.
    """

    def __init__(self, end: WindowEnd, call: str, rank: int | None, size: int, act: Callable[[], None]):
        kernel = end.cluster.kernel
        super().__init__(kernel, functools.partial("{} of rank {}'s window".format, call, rank))
        self.rank, self._act = rank, act
        #: for how long it has the buffers of this rank, if somebody asks.
        self._lease: Lease | None = None
        #: where its turn is decided late, and how it asks for it; None: it happens in time.
        self._turn: tuple[LateTurns, Asked] | None = None
        #: where and what it has found, if it has changed nothing: its rank may look in a loop.
        self.found: tuple[Hashable, bytes] | None = None
        self._looks = end.looks
        #: when it happens.
        self.at = kernel.now if rank is None else kernel.now + end.cluster.network.takes(size)

    def happening(self, argument: Any) -> ComesFirst:
        """That it happens."""
        return ComesFirst(None, self.waits_for())

    def happen(self, _: object = None) -> None:
        """Let it happen, and wake who waits for it."""
        act, self._act = self._act, _is_over  # it refers to the access, and to its buffers
        act()
        self.complete()

    def having(self, lease: Lease | None) -> Self:
        """This access, which has buffers for so long."""
        self._lease = lease
        return self

    def in_turn(self, end: WindowEnd, call: str, use: Use) -> Self:
        """This access, whose order matters to others; who has the memory's lock alone has no others beside it."""
        if end.shared.turns and self.rank is not None and not end.shared.locks[self.rank].holders.get(end.rank):
            member = end.context.members[end.rank]
            self._turn = end.shared.turns[self.rank], Asked(member, use, Accesses(member, call), self.happen)
        return self

    def _ask(self) -> bool:
        """Ask for its turn. Returns whether it needs one."""
        if self._turn is None:
            return False
        turns, asked = self._turn
        turns.ask(asked)
        return True

    def _gives_back(self) -> None:
        if self._kernel.cluster.buffers is not None and self._lease is not None:
            self._kernel.cluster.buffers.ends(self._lease, self._kernel.task.rank.index)

    def wait_for(self) -> None:
        """Wait until it has happened; it stays active, as a request is that nobody has waited for."""
        while not self.done:
            self._waiters.append(self._kernel.task)
            self._kernel.park(self.waits_for)

    def now(self) -> None:
        """Wait for the network, and let it happen."""
        if self._ask():
            self.wait_for()
        else:
            while self._kernel.now < self.at:
                self._kernel.park(self.waits_for, self.at)
            self.happen()
            if self.found is not None:
                found, self.found = self.found, None
                self._looks.found(*found)
        self.over = True

    def later(self, end: WindowEnd) -> Access:
        """Let it happen when the network has brought it there."""
        if self.rank is None:
            self.happen()
        else:
            end.under_way.append(self)
            if not self._ask():
                self._kernel.at(self.at, self.happen, None)
        return self


def _is_over() -> None:
    """What an access does that has happened."""


class WindowAccess(Handle):
    """The accesses of a window.

    A buffer is what `Comm.Send` takes. A target is a displacement, in units of the window of its rank, or that with a
    count and a datatype, which are the buffer's if nothing else is said.
    """

    def _end(self, call: str) -> WindowEnd:
        if self._state is None:
            raise MPIError(f"{call}: the window is WIN_NULL: it was freed, or never made", "ERR_WIN")
        end: WindowEnd = self._state
        return end

    def _items(self, call: str, end: WindowEnd, rank: int, target: Any, origin: Buffer) -> Items:
        """What of a rank's memory an access is about.

        :raises MPIError: there is no such rank, or memory, or it may not be accessed now.
        """
        displacement, count, type = target_of(target, origin)
        to = end.peer(rank, "target_rank")
        end.epochs.access(call, to)
        if call.startswith("R"):
            end.epochs.passive(call, to)
        low, high = type.map.span(count)
        if low == high:
            return Items(memoryview(b""), 0, 0, type)
        if displacement < 0 and end.memories[to].view is not None:
            raise MPIError(f"{call}: displacement {displacement}: it is 0 or more", "ERR_DISP")
        memory, at = end.memories[to].find(call, to, displacement, low, high)
        return Items(memory, at, count, type)

    def _watched(
        self, end: WindowEnd, call: str, rank: int, items: Items, act: Callable[[], None], op: str = "",
        reads: bool = False,
    ) -> Callable[[], None]:  # fmt: skip
        """What an access does, seen by who looks for accesses that conflict, and by whom order matters to."""
        epochs = end.epochs
        fences = 0 if epochs.started is not None else end.fences
        epoch = None if epochs.all_locked or rank in epochs.locked else fences
        if not reads and (rank, epoch) in end.shared.no_put:
            said = f"{'Fence' if fences else 'Post'}(MODE_NOPUT)"
            right = "leave that out, or write after the next one"
            text = (
                f"{call} into rank {rank}'s window, but rank {rank} has said with {said} that nobody does so: {right}"
            )
            raise MPIError(text, "ERR_RMA_SYNC")
        if end.cluster.buffers is not None and not reads:
            end.cluster.buffers.writes(sorted(items.ranges()))
        if end.shared.turns and not reads:
            act = functools.partial(_counted, end.shared, rank, items, act)
        races = end.cluster.races
        if races is None:
            return act
        ranges = items.ranges()
        races.accessed(end.shared, end.rank, rank, WindowUse(call, reads, op, epoch, ranges))

        def watched() -> None:
            races.happens(end.shared, rank)
            act()
            races.happened(end.shared, rank, ranges)

        return watched

    def _lease(self, end: WindowEnd, rank: int, *given: tuple[Buffer, bool]) -> Lease | None:
        """For how long an access has buffers, if somebody asks.

        :param given: the buffers, each with whether the access writes into it.
        """
        if end.cluster.buffers is None:
            return None
        lease = Lease(end.shared, end.rank, rank)
        end.cluster.buffers.accesses(lease, given)
        return lease

    def _bring(self, end: WindowEnd, lease: Lease | None, into: Buffer, data: bytes, what: str) -> None:
        """An access brings data."""
        if lease is None or end.cluster.buffers is None:
            into.put(data, what)
        else:
            end.cluster.buffers.arrives(lease, end.context.members[end.rank], into, data)

    # -- what each access does ---------------------------------------------------------------------

    def _get(self, call: str, origin: Any, rank: int, target: Any) -> Access:
        end = self._end(call)
        if means(rank, PROC_NULL):
            return _nothing(end, call)
        buffer = Buffer(origin, receives=True)
        items = self._items(call, end, rank, target, buffer)
        if items.size > len(buffer):
            text = f"{call}: the target is {items.size} bytes, and the buffer that receives it {len(buffer)}"
            raise TruncationError(f"{text}: make it large enough")
        what = f"the window of rank {rank}"
        lease = self._lease(end, rank, (buffer, True))

        def act() -> None:
            data = items.read()
            self._bring(end, lease, buffer, data, what)
            access.found = (rank, items.at), data

        access = Access(end, call, rank, items.size, self._watched(end, call, rank, items, act, reads=True))
        return access.having(lease)

    def _put(self, call: str, origin: Any, rank: int, target: Any) -> Access:
        end = self._end(call)
        if means(rank, PROC_NULL):
            return _nothing(end, call)
        buffer = Buffer(origin)
        items = self._items(call, end, rank, target, buffer)
        data = _fitting(call, buffer, items)
        lease = self._lease(end, rank, (buffer, False))
        act = self._watched(end, call, rank, items, lambda: items.write(data))
        return Access(end, call, rank, len(data), act).having(lease)

    def _accumulate(self, call: str, origin: Any, rank: int, target: Any, op: Any) -> Access:
        end, op = self._end(call), operation(op)
        if op is OPS["NO_OP"]:
            raise MPIError(f"{call}: NO_OP is for Get_accumulate and Fetch_and_op", "ERR_OP")
        if means(rank, PROC_NULL):
            return _nothing(end, call)
        buffer = Buffer(origin)
        _allowed(call, op, buffer)
        items = self._items(call, end, rank, target, buffer)
        _same(call, buffer, items)
        data = _fitting(call, buffer, items)
        lease = self._lease(end, rank, (buffer, False))
        act = functools.partial(_combine, op, buffer, items, data)
        access = Access(end, call, rank, len(data), self._watched(end, call, rank, items, act, op.name))
        alike = None if op is OPS["REPLACE"] else op.name  # of others the order does not matter, but for rounding
        return access.having(lease).in_turn(end, call, items.use(alike))

    def _get_accumulate(self, call: str, origin: Any, result: Any, rank: int, target: Any, op: Any) -> Access:
        end, op = self._end(call), operation(op)
        if means(rank, PROC_NULL):
            return _nothing(end, call)
        into = Buffer(result, receives=True)
        buffer = Buffer(origin)
        if op is not OPS["NO_OP"]:
            _allowed(call, op, buffer)
        items = self._items(call, end, rank, target, buffer if op is not OPS["NO_OP"] or target is not None else into)
        _same(call, into if op is OPS["NO_OP"] else buffer, items)
        data = b"" if op is OPS["NO_OP"] else _fitting(call, buffer, items)
        if items.size > len(into):
            text = f"{call}: the target is {items.size} bytes, and the buffer of the result {len(into)}"
            raise TruncationError(f"{text}: make it large enough")

        lease = self._lease(end, rank, *([(buffer, False)] if data else []), (into, True))

        def act() -> None:
            before = items.read()
            self._bring(end, lease, into, before, f"the window of rank {rank}")
            if data:
                _combine(op, buffer, items, data)
            if not data or items.read() == before:
                access.found = (rank, items.at), before

        reads = op is OPS["NO_OP"]
        watched = self._watched(end, call, rank, items, act, ANY if reads else op.name, reads)
        access = Access(end, call, rank, items.size, watched)
        return access.having(lease).in_turn(end, call, items.use("reads" if reads else None))

    # -- what programs call ------------------------------------------------------------------------

    def Get(self, origin: Any, target_rank: int, target: Any = None) -> None:
        """Read `target_rank`'s memory into `origin`.

        :raises TruncationError: it is more than `origin` takes.
        """
        self._get("Get", origin, target_rank, target).now()

    def Put(self, origin: Any, target_rank: int, target: Any = None) -> None:
        """Write `origin` into `target_rank`'s memory.

        :raises TruncationError: it is more than the target has.
        """
        self._put("Put", origin, target_rank, target).now()

    def Accumulate(self, origin: Any, target_rank: int, target: Any = None, op: Any = SUM) -> None:
        """Combine `origin` with `target_rank`'s memory, item by item."""
        self._accumulate("Accumulate", origin, target_rank, target, op).now()

    def Get_accumulate(self, origin: Any, result: Any, target_rank: int, target: Any = None, op: Any = SUM) -> None:
        """Read `target_rank`'s memory into `result`, and combine `origin` with it, in one step."""
        self._get_accumulate("Get_accumulate", origin, result, target_rank, target, op).now()

    def Rget(self, origin: Any, target_rank: int, target: Any = None) -> Request:
        """Begin `Get`."""
        return self._get("Rget", origin, target_rank, target).later(self._end("Rget"))

    def Rput(self, origin: Any, target_rank: int, target: Any = None) -> Request:
        """Begin `Put`."""
        return self._put("Rput", origin, target_rank, target).later(self._end("Rput"))

    def Raccumulate(self, origin: Any, target_rank: int, target: Any = None, op: Any = SUM) -> Request:
        """Begin `Accumulate`."""
        return self._accumulate("Raccumulate", origin, target_rank, target, op).later(self._end("Raccumulate"))

    def Rget_accumulate(self, origin: Any, result: Any, target_rank: int, target: Any = None, op: Any = SUM) -> Request:
        """Begin `Get_accumulate`."""
        access = self._get_accumulate("Rget_accumulate", origin, result, target_rank, target, op)
        return access.later(self._end("Rget_accumulate"))

    def Fetch_and_op(self, origin: Any, result: Any, target_rank: int, target_disp: int = 0, op: Any = SUM) -> None:
        """`Get_accumulate` of one item.

        :raises ValueError: a buffer has not one item, or the two differ in type.
        """
        if not means(target_rank, PROC_NULL):
            _single(origin=origin, result=result)
        at = integer(target_disp, "target_disp", bits=LONG)
        self._get_accumulate("Fetch_and_op", origin, result, target_rank, at, op).now()

    def Compare_and_swap(self, origin: Any, compare: Any, result: Any, target_rank: int, target_disp: int = 0) -> None:
        """Read one item into `result`; if it equals `compare`, replace it with `origin`, in one step.

        :raises ValueError: a buffer has not one item, or they differ in type.
        """
        call = "Compare_and_swap"
        if means(target_rank, PROC_NULL):
            _nothing(self._end(call), call).now()
            return
        new, expected, into = _single(origin=origin, compare=compare, result=result)
        end = self._end(call)
        if not _comparable(new):
            text = f"{call} of {new.type!r}: it is for integers, truth values and bytes"
            raise MPIError(text, "ERR_TYPE")
        at = integer(target_disp, "target_disp", bits=LONG)
        items = self._items(call, end, target_rank, at, new)
        data, wanted = _data(new), _data(expected)
        lease = self._lease(end, target_rank, (new, False), (expected, False), (into, True))

        def act() -> None:
            found = items.read()
            self._bring(end, lease, into, found, f"the window of rank {target_rank}")
            if found == wanted:
                items.write(data)
            if found != wanted or found == data:
                access.found = (target_rank, items.at), found

        access = Access(end, call, target_rank, items.size, self._watched(end, call, target_rank, items, act, ANY))
        access.in_turn(end, call, items.use(None)).now()


def _counted(shared: Shared, rank: int, items: Items, act: Callable[[], None]) -> None:
    """Let an access happen, and count it if it changes the memory."""
    before = items.read()
    act()
    if items.read() != before:
        shared.changes[rank] += 1


def _nothing(end: WindowEnd, call: str) -> Access:
    return Access(end, call, None, 0, lambda: None)


def _data(buffer: Buffer) -> bytes:
    return buffer.read()


def _fitting(call: str, buffer: Buffer, items: Items) -> bytes:
    if len(buffer) > items.size:
        raise TruncationError(f"{call} of {len(buffer)} bytes, and the target has a count of {items.size} bytes")
    return _data(buffer)


def _same(call: str, buffer: Buffer, items: Items) -> None:
    if not items.size and not len(buffer):
        return  # of no items, MPICH allows every datatype
    if basic(call, items.type) != basic(call, buffer.type):
        text = f"{call}: the buffer is of {buffer.type!r} and the target of {items.type!r}: name the same type"
        raise MPIError(text, "ERR_TYPE")


def _allowed(call: str, op: Operation, buffer: Buffer) -> None:
    if op.user:
        raise MPIError(f"{call}: {op!r} is an operation of the program's own, and windows have MPI's only", "ERR_OP")
    if len(buffer):  # of no items, MPICH allows every operation
        check(call, op, basic(call, buffer.type), OF_WINDOWS)


def _combine(op: Operation, buffer: Buffer, items: Items, data: bytes) -> None:
    if data:
        items.write(combine(op, basic("", buffer.type), [items.read()[: len(data)], data]))


def _single(**given: Any) -> list[Buffer]:
    """Buffers of one item each, of one type."""
    buffers = {name: Buffer(each, receives=name == "result") for name, each in given.items()}
    first = buffers["origin"]
    for name, buffer in buffers.items():
        if buffer.count != 1:
            raise ValueError(f"{name}: expecting a single element, got {buffer.count}")
        if not is_same(buffer.type, first.type):
            raise ValueError(f"mismatch in origin and {name} MPI datatypes")
    return list(buffers.values())


def _comparable(buffer: Buffer) -> bool:
    definition = buffer.type.definition
    return definition is not None and definition.holds in _COMPARED
