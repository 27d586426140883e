"""The world of MPI: ranks are processes, over mpi4py. Tasks and clocks are those of the local world.

All of a pool's messages go over a private duplicate of the communicator, so that they never meet those of
the program. Only the task that executes a pool receives; other tasks put what they have into its channel, or,
if MPI has THREAD_MULTIPLE, send.

Small messages are sent eagerly. A large one is announced first, and sent when the receiver has asked for it:
a rank that has left never leaves another one stuck in a send. What comes from the same rank after the
announcement waits behind it, so that messages between two ranks never overtake each other.

Waiting is adaptive polling: a short spin that yields the core, for the answer that is just about to come, then naps
of up to a
millisecond, so that a rank that waits does not burn the core that another one needs.
"""

from __future__ import annotations

import os
import struct
import time
from collections import deque
from typing import Any, NamedTuple

from mpi4py import MPI

from .base import Channel
from .local import LOCAL, ThreadedWorld

#: Longest message, in bytes, that is sent without being asked for.
EAGER = 32 * 1024

#: How long a wait spins before it naps, and the first and longest nap, in nanoseconds.
SPIN, FIRST_NAP, LONGEST_NAP = 200_000, 20_000, 1_000_000

# Kinds of messages; a tag is the pool's serial number and the kind.
_MESSAGE, _ANNOUNCED, _WANTED, _LARGE, _LAST = range(5)
_SERIALS = 6000

_ANY_SOURCE, _ANY_TAG = MPI.ANY_SOURCE, MPI.ANY_TAG

_NUMBERS = struct.Struct("<QQ")

_KEYVAL: int | None = None


def mpi_world(comm: MPI.Comm) -> ThreadedWorld:
    """The world of this rank of `comm`: one for each communicator; a communicator of one rank is local."""
    global _KEYVAL
    if comm.Get_size() == 1:
        return LOCAL
    if _KEYVAL is None:
        _KEYVAL = MPI.Comm.Create_keyval()
    world = comm.Get_attr(_KEYVAL)
    if not isinstance(world, MPIWorld):
        world = MPIWorld(comm)
        comm.Set_attr(_KEYVAL, world)
    return world


class MPIWorld(ThreadedWorld):
    """A rank of a communicator of several."""

    def __init__(self, comm: MPI.Comm):
        super().__init__()
        self._comm = comm
        self._private: MPI.Comm | None = None
        self._serial = 0
        self.rank = comm.Get_rank()
        self.size = comm.Get_size()
        #: messages of pools that this rank has not opened yet, by serial number: source, kind, data.
        self.early: dict[int, list[tuple[int, int, bytearray]]] = {}
        #: channels of pools that this rank has open, by serial number.
        self.open: dict[int, MPIChannel] = {}
        #: sends under way, with the buffers that they read.
        self.sends: list[tuple[MPI.Request, Any]] = []

    def channel(self) -> Channel:
        if self._private is None:
            self._private = self._comm.Dup()
        self._serial += 1
        return MPIChannel(self, self._private, self._serial)

    def window(self, buffer: Any) -> MPI.Win:
        return MPI.Win.Create(buffer, comm=self._comm)  # type: ignore[arg-type]


class MPIChannel(Channel):
    """Messages of one pool on one rank."""

    def __init__(self, world: MPIWorld, comm: MPI.Comm, serial: int):
        self._world = world
        self._comm = comm
        self._serial = serial % _SERIALS
        self._tag = self._serial * 5
        self._own: deque[Any] = deque()
        self._arrived: deque[tuple[int, Any]] = deque()
        self._status = MPI.Status()
        self._large: dict[int, tuple[int, bytes]] = {}
        self._numbers = 0
        # By source: a large message that is on its way, and what came after it.
        self._behind: dict[int, deque[Any]] = {}
        self.any_task_sends = MPI.Query_thread() == MPI.THREAD_MULTIPLE
        world.open[self._serial] = self
        for source, kind, data in world.early.pop(self._serial, ()):
            self._take(source, kind, data)

    def put(self, item: Any) -> None:
        self._own.append(item)

    def send(self, rank: int, message: bytes, last: bool = False) -> None:
        if last:
            self._isend(message, rank, _LAST)
            return
        if len(message) <= EAGER:
            self._isend(message, rank, _MESSAGE)
            return
        self._numbers += 1
        self._large[self._numbers] = (rank, message)
        self._isend(_NUMBERS.pack(self._numbers, len(message)), rank, _ANNOUNCED)

    def get(self, until: int | None = None) -> Any:
        arrived, own, poll = self._arrived, self._own, self._poll
        if arrived:
            return arrived.popleft()
        spin_until = 0
        nap = FIRST_NAP
        while True:
            while poll():
                pass
            if arrived:
                return arrived.popleft()
            if own:
                return own.popleft()
            now = time.monotonic_ns()
            if until is not None and now >= until:
                return None
            if not spin_until:
                spin_until = now + SPIN
            if now < spin_until:
                os.sched_yield()
                continue
            time.sleep((nap if until is None else min(nap, until - now)) / 1e9)
            nap = min(2 * nap, LONGEST_NAP)

    def close(self) -> None:
        while self._poll():
            pass
        del self._world.open[self._serial]
        # What large messages are still written into has to stay.
        self._world.sends += [
            (large.request, large.buffer) for line in self._behind.values() for large in line if type(large) is _Large
        ]
        self._world.sends = [send for send in self._world.sends if not send[0].Test()]

    def _isend(self, data: Any, rank: int, kind: int) -> None:
        request = self._comm.Isend(data, rank, self._tag + kind)
        if not request.Test():
            self._world.sends.append((request, data))

    def _poll(self) -> bool:
        """Take in what has come. Returns whether there was anything."""
        comm, status = self._comm, self._status
        if self._behind:
            self._finish_receiving()
        if not comm.Iprobe(_ANY_SOURCE, _ANY_TAG, status):
            return False
        source, tag = status.source, status.tag
        data = bytearray(status.count)
        comm.Recv(data, source, tag)
        serial, kind = divmod(tag, 5)
        channel = self._world.open.get(serial)
        if channel is not None:  # this pool's, or that of one around it
            channel._take(source, kind, data)
        elif (serial - self._serial) % _SERIALS < _SERIALS // 2:  # one that this rank has yet to open
            self._world.early.setdefault(serial, []).append((source, kind, data))
        return True  # else: one that it has left

    def _take(self, source: int, kind: int, data: bytearray) -> None:
        if kind == _MESSAGE:
            if source in self._behind:
                self._behind[source].append(data)
            else:
                self._arrived.append((source, data))
        elif kind == _LAST:
            self._arrived.append((source, data))
        elif kind == _ANNOUNCED:
            number, size = _NUMBERS.unpack(data)
            buffer = bytearray(size)
            request = self._comm.Irecv([buffer, MPI.BYTE], source, self._tag + _LARGE)
            self._behind.setdefault(source, deque()).append(_Large(request, buffer))
            self._isend(_NUMBERS.pack(number, size), source, _WANTED)
        elif kind == _WANTED:
            number, _ = _NUMBERS.unpack(data)
            rank, message = self._large.pop(number)
            self._isend(message, rank, _LARGE)

    def _finish_receiving(self) -> None:
        for source, line in [*self._behind.items()]:
            while line:
                first = line[0]
                if type(first) is _Large:
                    if not first.request.Test():
                        break
                    first = first.buffer
                self._arrived.append((source, first))
                line.popleft()
            if not line:
                del self._behind[source]


class _Large(NamedTuple):
    """A large message that is on its way."""

    request: MPI.Request
    buffer: bytearray
