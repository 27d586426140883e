"""Private duplicates of communicators: pools send their messages in them, apart from messages of the program.

All ranks make a duplicate together when the first pool opens on a communicator; it serves all pools on it. When the
program frees its communicator, the duplicate becomes a spare for the next communicator of the same ranks: an MPI has
few communicators (MPICH some two thousand), and a program may split off one after the other. A duplicate is never
freed: all ranks would have to free it together, with no message under way, and no rank waits for others except to open
a first pool.

If MPI survives ranks that die (ULFM), a duplicate does not contain the ranks that were dead when it was made. The
messages in a duplicate, and how pools treat a death, do not belong here.

A rank may die during these operations too. `Shrink` can handle that, and then `Agree` tells whether the exchanged data
can be trusted: when a rank dies, other operations may fail on some ranks only, or return wrong data on all.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from mpi4py import MPI

from .machine import survives

#: Classes of MPI's errors that mean a dead rank.
FAULTS = (MPI.ERR_PROC_FAILED, MPI.ERR_PROC_FAILED_PENDING)

#: The host of a rank that was dead before it could tell its host.
UNKNOWN_HOST = "unknown"

# By the ranks of a communicator, as ranks of COMM_WORLD: its spare duplicates, by the number that their rank 0 gave.
spare: dict[tuple[int, ...], dict[int, Duplicate]] = {}
_numbers = itertools.count()

# What ranks exchange: the host, a number of the rank's own, and the serial numbers of its spare duplicates.
_Words = tuple[str, int, dict[int, int]]


class OpenChannel(Protocol):
    """Interface of a channel that is open on a duplicate.

    :ivar lost: ranks that died and that the channel has not reported yet.
    """

    lost: deque[int]

    def _take(self, source: int, kind: int, data: bytearray) -> None: ...


class Duplicate:
    """A private communicator, with the state that this rank's pools share.

    Ranks are those of the program's communicator, except in `here` and `there`.

    :ivar comm: the private communicator.
    :ivar hosts: names of hosts by rank; one name if all ranks are on it.
    :ivar there: by rank: its rank in `comm`; PROC_NULL for a rank that was dead from the start.
    :ivar here: by rank in `comm`: the rank in the program's communicator.
    :ivar dead: ranks that died.
    :ivar serial: the number of pools so far.
    :ivar early: messages of pools that this rank has not opened yet, by serial number: source, kind, data.
    :ivar open: channels of pools that this rank has open, by serial number.
    :ivar sends: requests under way, with the buffers that they read or write.
    """

    def __init__(self, comm: MPI.Comm, of: MPI.Comm, hosts: Sequence[str]):
        self.comm = comm
        self._group = of.Get_group()
        group = comm.Get_group()
        there = MPI.Group.Translate_ranks(self._group, None, group)
        self.there = [MPI.PROC_NULL if rank == MPI.UNDEFINED else rank for rank in there]
        self.here = MPI.Group.Translate_ranks(group, None, self._group)
        group.Free()
        self.dead: dict[int, None] = {rank: None for rank, other in enumerate(there) if other == MPI.UNDEFINED}
        told = [*hosts]
        for rank in self.dead:  # in ascending order
            told.insert(rank, UNKNOWN_HOST)
        self.hosts = tuple(hosts[:1] if len(set(hosts)) == 1 else told)
        self.serial = 0
        self.early: dict[int, list[tuple[int, int, bytearray]]] = {}
        self.open: dict[int, OpenChannel] = {}
        self.sends: list[tuple[MPI.Request, Any]] = []
        # The key under which it becomes a spare; None: it does not.
        self.key: tuple[int, ...] = ()
        self.number = 0

    def note_deaths(self, error: MPI.Exception) -> bool:
        """Handle an error of MPI: if ranks have died, pass them to all channels. Returns whether more ranks have died.

        :raises MPI.Exception: the error has another cause.
        """
        if error.Get_error_class() not in FAULTS:
            raise error
        failed = self.comm.Get_failed()
        self.comm.Ack_failed(failed.size)
        ranks = MPI.Group.Translate_ranks(failed, None, self._group)
        failed.Free()
        news = [rank for rank in ranks if rank not in self.dead]
        for rank in news:
            self.dead[rank] = None
            for channel in self.open.values():
                channel.lost.append(rank)
        return bool(news)

    def put_by(self) -> None:
        """Keep it as a spare for the next communicator of the same ranks, when the program has freed its own."""
        if self.key and not self.open:
            spare.setdefault(self.key, {})[self.number] = self


def duplicate_of(comm: MPI.Comm, host: str) -> Duplicate:
    """Return the duplicate of a communicator: a spare that all its ranks have, or a new one. All live ranks call it.

    :param host: the name of this rank's host.
    """
    mortal = survives(MPI) is True
    while True:
        left = shrunk(comm) if mortal else comm
        key = _ranks_in_the_world(left)
        # Taken out, since another task may open a pool on another communicator of these ranks meanwhile.
        mine = spare.pop(key, {})
        try:
            words = (host, next(_numbers), {number: each.serial for number, each in mine.items()})
            told = allgather_of_survivors(left, words) if mortal else left.allgather(words)
            if told is None:
                continue  # without those that died meanwhile
            common = set.intersection(*(set(serials) for _, _, serials in told))
            old = mine.pop(min(common)) if common else None
        finally:
            spare.setdefault(key, {}).update(mine)
        hosts = [each for each, _, _ in told]
        if old is None:
            found = Duplicate(left if mortal else left.Dup(), comm, hosts)
            found.comm.Set_errhandler(MPI.ERRORS_RETURN)
            found.number = told[0][1]
        else:
            if mortal:
                left.Free()
            found = Duplicate(old.comm, comm, hosts)
            found.sends, found.number = old.sends, old.number
            found.serial = max(serials[old.number] for _, _, serials in told)
        found.key = key
        return found


def shrunk(comm: MPI.Comm) -> MPI.Comm:
    """A communicator of the ranks of `comm` that are alive, whose errors are raised."""
    left = comm.Shrink()
    left.Set_errhandler(MPI.ERRORS_RETURN)
    return left


def allgather_of_survivors(left: MPI.Comm, words: _Words) -> list[_Words] | None:
    """Gather what each rank tells; None on all ranks if one has died."""
    told: list[_Words] | None = None
    problem: Exception | None = None
    try:
        told = left.allgather(words)
    except Exception as error:  # MPI's error, or one of unpickling wrong data
        problem = error
        left.Revoke()  # wakes the ranks that wait for this one
    agreed = _agree(left, told is not None)
    if problem is not None:
        failed = left.Get_failed()
        if not failed.size:
            raise problem  # it has another cause
        failed.Free()
    return told if agreed else None


def _agree(comm: MPI.Comm, done: bool) -> bool:
    """Whether all ranks are done and none has died meanwhile; the answer is the same on each."""
    try:
        return bool(comm.Agree(int(done)))
    except MPI.Exception as error:
        if error.Get_error_class() not in FAULTS:
            raise
        return False


def _ranks_in_the_world(comm: MPI.Comm) -> tuple[int, ...]:
    """Return the ranks as ranks of COMM_WORLD; an empty sequence if some are not in it, such as spawned ranks."""
    group, world = comm.Get_group(), MPI.COMM_WORLD.Get_group()
    ranks = MPI.Group.Translate_ranks(group, None, world)
    group.Free()
    world.Free()
    return () if MPI.UNDEFINED in ranks else tuple(ranks)
