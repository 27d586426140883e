"""Private duplicates of communicators, in which pools send their messages: they never meet those of the program.

A duplicate is made by all ranks together when the first pool opens on a communicator, and serves all pools on it. When
the program frees its communicator, the duplicate is put by for the next communicator of the same ranks: an MPI has few
to give (MPICH some two thousand), and a program may split off one after the other. It is never freed. All ranks would
have to do that together, with no message under way any more, and here nobody waits for others but to open a first pool.

Where MPI goes on without ranks that die (ULFM), a duplicate is without those that were dead when it was made. What is
sent in one, and what pools make of a death, does not belong here.

A rank may die in the midst of that, too. `Shrink` is made for it, and then `Agree` says whether what was told can be
trusted: where a rank dies, other operations may fail on some ranks only, or leave rubbish on all.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from mpi4py import MPI

from .machine import survives

#: Classes of errors by which MPI tells that a rank is dead.
FAULTS = (MPI.ERR_PROC_FAILED, MPI.ERR_PROC_FAILED_PENDING)

#: What stands for the host of a rank that was dead before it could tell.
UNKNOWN_HOST = "unknown"

# By ranks, as those of COMM_WORLD: the duplicates that are put by, by the number that their rank 0 gave.
spare: dict[tuple[int, ...], dict[int, Duplicate]] = {}
_numbers = itertools.count()

# What a rank tells the others: its host, a number of its own, and the serials of the duplicates that it has put by.
_Words = tuple[str, int, dict[int, int]]


class OpenChannel(Protocol):
    """What a duplicate needs of the channels of pools that are open on it.

    :ivar lost: ranks that died, of which the channel has not told yet.
    """

    lost: deque[int]

    def _take(self, source: int, kind: int, data: bytearray) -> None: ...


class Duplicate:
    """A private communicator, with what this rank's pools have to keep of it from one to the next.

    Ranks are those of the program's communicator, but for `here` and `there`.

    :ivar comm: the private communicator.
    :ivar hosts: names of hosts by rank; one if all ranks are on it.
    :ivar there: by rank: its rank in `comm`; PROC_NULL for one that was dead from the start.
    :ivar here: by rank in `comm`: its rank.
    :ivar dead: ranks that died.
    :ivar serial: the number of pools so far.
    :ivar early: messages of pools that this rank has not opened yet, by serial number: source, kind, data.
    :ivar open: channels of pools that this rank has open, by serial number.
    :ivar sends: what is under way, with the buffers that it reads or writes.
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
        # Where it is put by, if others may find it there.
        self.key: tuple[int, ...] = ()
        self.number = 0

    def note_deaths(self, error: MPI.Exception) -> bool:
        """MPI raised: if it is about dead ranks, all channels learn which. Returns whether any died since it last did.

        :raises MPI.Exception: it is about something else.
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
        """The program has freed the communicator: keep this for the next one of the same ranks."""
        if self.key and not self.open:
            spare.setdefault(self.key, {})[self.number] = self


def duplicate_of(comm: MPI.Comm, host: str) -> Duplicate:
    """The duplicate for a communicator: one that all its ranks have put by, or a new one. All that live call it.

    :param host: the name of this rank's.
    """
    mortal = survives(MPI) is True
    while True:
        left = shrunk(comm) if mortal else comm
        key = _ranks_in_the_world(left)
        # Out of the reach of another task, which may open a pool on another communicator of these ranks meanwhile.
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
    """What each rank tells; None, on all of them, if one has died."""
    told: list[_Words] | None = None
    problem: Exception | None = None
    try:
        told = left.allgather(words)
    except Exception as error:  # MPI's, or that of who unpickles rubbish
        problem = error
        left.Revoke()  # those that wait in there for this rank
    agreed = _agree(left, told is not None)
    if problem is not None:
        failed = left.Get_failed()
        if not failed.size:
            raise problem  # it has to do with something else
        failed.Free()
    return told if agreed else None


def _agree(comm: MPI.Comm, done: bool) -> bool:
    """Whether it is done on all ranks, and none has died meanwhile: the same answer on each."""
    try:
        return bool(comm.Agree(int(done)))
    except MPI.Exception as error:
        if error.Get_error_class() not in FAULTS:
            raise
        return False


def _ranks_in_the_world(comm: MPI.Comm) -> tuple[int, ...]:
    """Ranks of COMM_WORLD, by rank; none if some are not in it, as those that were spawned."""
    group, world = comm.Get_group(), MPI.COMM_WORLD.Get_group()
    ranks = MPI.Group.Translate_ranks(group, None, world)
    group.Free()
    world.Free()
    return () if MPI.UNDEFINED in ranks else tuple(ranks)
