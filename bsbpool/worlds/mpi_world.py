"""The world of MPI: ranks are processes, over mpi4py. Tasks and clocks are those of the local world.

All messages of a pool go over a private duplicate of the communicator, which `duplicates` provides. Only the task that
executes a pool receives; other tasks put items into its channel, or, if MPI has THREAD_MULTIPLE, send.

Small messages are sent eagerly. A large message, and the parts of a message, are announced first, and sent when the
receiver asks for them. So a rank that has left never blocks another one in a send, and a rank to which many ranks send
large messages asks for as many as it has memory for. Later messages of the same rank wait behind an announced one, so
that messages between two ranks never overtake each other. Parts are sent and received in place, without a copy.

A rank that dies ends the run, unless MPI survives that (ULFM: Open MPI 5 under ``mpirun --with-ft ulfm``). Such an MPI
raises in each operation with a dead rank, and in each that could involve one, such as a probe for any rank, until the
death is acknowledged. The messages that a dead rank had sent are received first, then a `RankLost`.

Waiting is adaptive polling: a short spin for an answer that is about to come, which soon yields the core, then naps of
up to 1.5 ms, so that a waiting rank does not use the core that another rank needs. A rank that waited long the last
time does not spin, and main naps longer while each rank has jobs ahead.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from mpi4py import MPI

from ..exceptions import JobPoolError
from .base import NO_COMMUNICATOR, Channel, MultipartMessage, RankLost
from .duplicates import Duplicate, duplicate_of
from .local import LOCAL, ProcessChannel, ThreadedWorld
from .node_lock import NodeLock, found, made
from .uncaught import print_at_once

#: Maximal size in bytes of a message that is sent eagerly.
EAGER = 32 * 1024

#: Maximal bytes of large messages that a rank has asked for and not received; a single one may be larger.
UNDER_WAY = 256 * 1024 * 1024

#: Maximal size in bytes of one message of MPI: many implementations count with 31 bits.
LONGEST = 1 << 30

#: In nanoseconds: how long a wait spins before it naps, and for how long of that it keeps the core; the first nap, the
#: longest nap, and the longest nap after a hundred milliseconds.
SPIN, KEEP, FIRST_NAP, LONGEST_NAP = 200_000, 30_000, 20_000, 1_000_000
LONG_WAIT, LONGEST_LATER = 100_000_000, 1_500_000

#: Who waited for so long before does not spin; and the longest nap where a message may be taken in later than it came.
LONG_ENOUGH, MOST_POLL_SLACK = 1_000_000, 4_000_000

# Kinds of messages; a tag is the pool's serial number and the kind.
_MESSAGE, _ANNOUNCED, _WANTED, _LARGE, _LAST = range(5)
_SERIALS = 6000

_ANY_SOURCE, _ANY_TAG = MPI.ANY_SOURCE, MPI.ANY_TAG

_KEYVAL: int | None = None


def mpi_world(comm: MPI.Comm) -> ThreadedWorld:
    """The world of this rank of `comm`: one for each communicator; a communicator of one rank is local."""
    global _KEYVAL
    _check(comm)
    if comm.Get_size() == 1:
        return LOCAL
    if _KEYVAL is None:
        _KEYVAL = MPI.Comm.Create_keyval(delete_fn=_forget)
    world = comm.Get_attr(_KEYVAL)
    if not isinstance(world, MPIWorld):
        world = MPIWorld(comm)
        comm.Set_attr(_KEYVAL, world)
        print_at_once()
    return world


def _check(comm: MPI.Comm) -> None:
    """Check that a pool can use a communicator.

    :raises JobPoolError: it can't.
    """
    if not isinstance(comm, MPI.Comm):
        return  # something that does as if it were one
    if comm == MPI.COMM_NULL:
        raise JobPoolError(NO_COMMUNICATOR)
    try:
        inter = comm.Is_inter()
    except MPI.Exception as error:
        raise JobPoolError(
            f"A pool can't use this communicator, which MPI does not know ({error}): was it freed?"
        ) from error
    if inter:
        raise JobPoolError(
            "A pool can't use an intercommunicator, whose ranks are in two groups: give it what Merge() makes of it."
        )


def _forget(comm: MPI.Comm, keyval: int, world: MPIWorld) -> None:
    """Called by MPI on each rank when a communicator is freed."""
    if world.duplicate is not None:
        world.duplicate.put_by()


class MPIWorld(ThreadedWorld):
    """A rank of a communicator of several ranks."""

    def __init__(self, comm: MPI.Comm):
        super().__init__()
        self._comm = comm
        self.rank = comm.Get_rank()
        self.size = comm.Get_size()
        #: the duplicate in which pools send; None before the first pool.
        self.duplicate: Duplicate | None = None

    def channel(self) -> Channel:
        if self.duplicate is None:
            self.duplicate = duplicate_of(self._comm, self.host)
        self.duplicate.serial += 1
        return MPIChannel(self.duplicate, self.rank)

    def members(self) -> tuple[Any, ...]:
        group, world = self._comm.Get_group(), MPI.COMM_WORLD.Get_group()
        try:
            # Processes that are not of COMM_WORLD were spawned, and can't be told from each other.
            ranks = MPI.Group.Translate_ranks(group, None, world)
            return tuple(None if rank == MPI.UNDEFINED else rank for rank in ranks)
        finally:
            group.Free()
            world.Free()

    def hosts(self) -> Sequence[str]:
        return () if self.duplicate is None else self.duplicate.hosts

    def window(self, buffer: Any) -> MPI.Win:
        return MPI.Win.Create(buffer, comm=self._comm)  # type: ignore[arg-type]

    def node_lock(self, token: int = 0) -> NodeLock | None:
        return found(token, self.size) if token else made(self.size)


class MPIChannel(ProcessChannel):
    """Messages of one pool on one rank."""

    def __init__(self, duplicate: Duplicate, rank: int):
        self._duplicate = duplicate
        self._comm = duplicate.comm
        self._there, self._here = duplicate.there, duplicate.here
        self._rank = rank
        self._serial = duplicate.serial % _SERIALS
        self._tag = self._serial * 5
        self._own: deque[Any] = deque()
        # A nap is an attempt to take this lock; `put` releases it.
        self._asleep = threading.Lock()
        self._asleep.acquire()
        self._arrived: deque[tuple[int, Any]] = deque()
        # Since when it has waited for the next item, 0 if it has not; its next nap; and how long it waited for the last
        # one that it had to wait for. In nanoseconds.
        self._waits_since, self._nap, self._waited = 0, FIRST_NAP, 0
        self._status = MPI.Status()
        # By number: large messages that this rank has announced, as receiver and parts. And sends under way of what
        # was asked for.
        self._announced: dict[int, tuple[int, Sequence[Any]]] = {}
        self._sending: list[tuple[int, MPI.Request, Any]] = []
        self._numbers = 0
        # By source: large messages that are on their way, and what came after them.
        self._behind: dict[int, deque[Any]] = {}
        # Ranks that have said their last: they take nothing more.
        self._left: dict[int, None] = {}
        # Large messages that have not been asked for, and the bytes of those that have.
        self._waiting: deque[_Large] = deque()
        self._under_way = 0
        self._closing = False
        #: ranks that died, of which nobody has been told.
        self.lost: deque[int] = deque(duplicate.dead)
        self.any_task_sends = MPI.Query_thread() == MPI.THREAD_MULTIPLE
        duplicate.open[self._serial] = self
        for source, kind, data in duplicate.early.pop(self._serial, ()):
            self._take(source, kind, data)

    def put(self, item: Any) -> None:
        self._own.append(item)
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._asleep.release()

    def send(self, rank: int, message: bytes, parts: Sequence[Any] = (), last: bool = False) -> None:
        if last:
            self._isend(message, rank, _LAST)
            return
        if not parts and len(message) <= EAGER:
            self._isend(message, rank, _MESSAGE)
            return
        self._numbers += 1
        if parts:
            head = message
        else:
            head, parts = None, [message]
        self._announced[self._numbers] = (rank, parts)
        self._isend(pickle.dumps((self._numbers, head, [*map(len, parts)])), rank, _ANNOUNCED)

    def flush(self) -> None:
        nap, spin_until = FIRST_NAP, time.monotonic_ns() + SPIN
        while True:
            while self._poll():
                pass
            left = self._left | self._duplicate.dead
            self._tidy()
            if all(rank in left for rank, _ in self._announced.values()) and all(s[0] in left for s in self._sending):
                return
            nap = self._pause(spin_until, nap)

    def get(self, until: int | None = None) -> Any:
        arrived, own, poll = self._arrived, self._own, self._poll
        while True:
            if not arrived:
                while poll():
                    pass
            if arrived:
                item = arrived.popleft()
                break
            if self.lost:
                item = self._lose(self.lost.popleft())
                break
            if own:
                item = own.popleft()
                break
            if until == 0:
                return None
            now = time.monotonic_ns()
            if until is not None and now >= until:
                return None
            if not self._waits_since:
                self._waits_since = now
                self._tidy()
                # Who waited for long is not about to get an answer at once.
                self._nap = max(FIRST_NAP, min(self._waited // 32, LONGEST_NAP), self._poll_slack_ns())
            spins = self._waited < LONG_ENOUGH and self._poll_slack_ns() < SPIN
            spin_until = self._waits_since + (SPIN if spins else 0)
            self._nap = self._pause(spin_until, self._nap, until)
            # MPICH sees what came while nobody looked only at the second look: without this one, a nap later.
            poll()
        if self._waits_since:
            self._waited = time.monotonic_ns() - self._waits_since
            self._waits_since = 0
        return item

    def _pause(self, spin_until: int, nap: int, until: int | None = None) -> int:
        """Sleep or yield the core for a while. Returns the length of the next nap in nanoseconds."""
        now = time.monotonic_ns()
        if now < spin_until:
            if now >= spin_until - SPIN + KEEP:
                os.sched_yield()
            return nap
        longest = max(LONGEST_NAP if now < spin_until + LONG_WAIT else LONGEST_LATER, self._poll_slack_ns())
        nap = min(nap, longest)  # it may have been longer, before a large message was announced
        self._asleep.acquire(timeout=(nap if until is None else max(0, min(nap, until - now))) / 1e9)
        return min(2 * nap, longest)

    def _poll_slack_ns(self) -> int:
        """Return for how long a nap may last without delaying others, in nanoseconds.

        It is 0 while a message is under way: a large message makes progress only while both ranks poll, and so may a
        message that MPI has not sent yet.
        """
        if self._behind or self._announced or self._sending or self._duplicate.sends:
            return 0
        return min(self.poll_slack_ns, MOST_POLL_SLACK)

    def close(self) -> None:
        self._closing = True
        while self._poll():
            pass
        while self.lost:
            self._lose(self.lost.popleft())
        del self._duplicate.open[self._serial]
        # Buffers of large messages must stay alive while MPI reads or writes them.
        self._duplicate.sends += [
            (request, large.parts)
            for line in self._behind.values() for large in line if type(large) is _Large for request in large.requests
        ] + [(request, part) for _, request, part in self._sending]  # fmt: skip
        self._sending = []
        self._tidy()

    def _isend(self, data: Any, rank: int, kind: int) -> None:
        try:
            request = self._comm.Isend(data, self._there[rank], self._tag + kind)
        except MPI.Exception as error:
            self._duplicate.note_deaths(error)
            return
        if not self._done(request):
            self._duplicate.sends.append((request, data))
            self._tidy()

    def _tidy(self) -> None:
        """Release the buffers of messages that have been sent."""
        self._duplicate.sends = [send for send in self._duplicate.sends if not self._done(send[0])]
        self._sending = [send for send in self._sending if not self._done(send[1])]

    def _done(self, request: MPI.Request) -> bool:
        """Whether MPI has completed a request; it has if the other rank is dead."""
        try:
            return request.Test()
        except MPI.Exception as error:
            self._duplicate.note_deaths(error)
            return True

    def _lose(self, rank: int) -> tuple[int, RankLost]:
        """Drop the messages of a dead rank that will never arrive; the others were received."""
        for large in self._behind.pop(rank, ()):
            if type(large) is _Large and large.parts:
                self._under_way -= large.size
                self._duplicate.sends += [(request, large.parts) for request in large.requests]
        self._waiting = deque(large for large in self._waiting if large.source != rank)
        self._left[rank] = None
        self._tidy()
        self._ask()
        return rank, RankLost()

    def _poll(self) -> bool:
        """Receive the messages that have arrived. Returns whether there were any."""
        comm, status = self._comm, self._status
        if self._behind:
            self._finish_receiving()
        try:
            if not comm.Iprobe(_ANY_SOURCE, _ANY_TAG, status):
                return False
            there, tag = status.source, status.tag
            data = bytearray(status.count)
            comm.Recv(data, there, tag)
        except MPI.Exception as error:
            return self._duplicate.note_deaths(error)  # there may be messages all the same
        source = self._here[there]
        serial, kind = divmod(tag, 5)
        channel = self._duplicate.open.get(serial)
        if channel is not None:  # this pool's, or that of one around it
            channel._take(source, kind, data)
        elif (serial - self._serial) % _SERIALS < _SERIALS // 2:  # one that this rank has yet to open
            self._duplicate.early.setdefault(serial, []).append((source, kind, data))
        return True  # else: one that it has left

    def _take(self, source: int, kind: int, data: bytearray) -> None:
        if kind == _MESSAGE:
            if source in self._behind:
                self._behind[source].append(data)
            else:
                self._arrived.append((source, data))
        elif kind == _LAST:
            self._left[source] = None
            if source in self._behind and self._rank == 0:
                # A worker leaves when what it had announced was asked for and sent: all of it arrives.
                self._behind[source].append(data)
            else:
                self._arrived.append((source, data))
        elif kind == _ANNOUNCED:
            large = _Large(source, *pickle.loads(data))
            self._behind.setdefault(source, deque()).append(large)
            self._waiting.append(large)
            self._ask()
        elif kind == _WANTED:
            rank, parts = self._announced.pop(pickle.loads(data))
            try:
                for part in _pieces(parts):
                    self._sending.append((rank, self._comm.Isend(part, self._there[rank], self._tag + _LARGE), part))
            except MPI.Exception as error:
                self._duplicate.note_deaths(error)

    def _ask(self) -> None:
        """Ask for large messages, as long as there is memory for them."""
        if self._closing:
            return  # who announced them may have left, and never hear of it
        waiting = self._waiting
        while waiting and (not self._under_way or self._under_way + waiting[0].size <= UNDER_WAY):
            large = waiting.popleft()
            self._under_way += large.size
            large.parts = [MPI.buffer.allocate(size) for size in large.sizes]
            try:
                for part in _pieces(large.parts):
                    large.requests.append(self._comm.Irecv(part, self._there[large.source], self._tag + _LARGE))
            except MPI.Exception as error:
                self._duplicate.note_deaths(error)
                continue  # its source is dead
            self._isend(pickle.dumps(large.number), large.source, _WANTED)

    def _all_there(self, large: _Large) -> bool:
        try:
            return MPI.Request.Testall(large.requests)
        except MPI.Exception as error:
            # Asked again, MPI would say that all is done. But its source is dead, as will be noticed.
            large.broken = True
            if error.Get_error_class() != MPI.ERR_IN_STATUS:
                self._duplicate.note_deaths(error)
            return False

    def _finish_receiving(self) -> None:
        for source, line in [*self._behind.items()]:
            while line:
                first = line[0]
                if type(first) is _Large:
                    if not first.parts or first.broken or not self._all_there(first):
                        break
                    self._under_way -= first.size
                    first = first.message()
                self._arrived.append((source, first))
                line.popleft()
            if not line:
                del self._behind[source]
        self._ask()


class _Large:
    """A large message that was announced.

    :ivar head: the message without its parts; None if its only part is the message.
    """

    def __init__(self, source: int, number: int, head: bytes | None, sizes: list[int]):
        self.source = source
        self.number = number
        self.head = head
        self.sizes = sizes
        self.size = sum(sizes)
        self.parts: list[Any] = []
        self.requests: list[MPI.Request] = []
        self.broken = False

    def message(self) -> Any:
        """The message, when it has arrived."""
        return self.parts[0] if self.head is None else MultipartMessage(self.head, self.parts)


def _pieces(parts: Sequence[Any]) -> Iterator[Any]:
    """Give the pieces in which the parts of a message are passed to MPI."""
    for part in parts:
        if len(part) <= LONGEST:
            yield part
        else:
            whole = memoryview(part)
            for start in range(0, len(part), LONGEST):
                yield whole[start : start + LONGEST]
