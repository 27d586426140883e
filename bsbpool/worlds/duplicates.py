"""Private duplicates of communicators, in which pools send their messages: they never meet those of the program.

A duplicate is made by all ranks together when the first pool opens on a communicator, and serves all pools on it. When
the program frees its communicator, the duplicate is put by for the next communicator of the same ranks: an MPI has few
to give (MPICH some two thousand), and a program may split off one after the other. It is never freed. All ranks would
have to do that together, with no message under way any more, and here nobody waits for others but to open a first pool.

Where MPI goes on without ranks that die (ULFM), a duplicate is without those that were dead when it was made. What is
sent in one, and what pools make of a death, does not belong here.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpi4py import MPI

from .machine import survives

if TYPE_CHECKING:
    from .mpi import MPIChannel

#: Classes of errors by which MPI tells that a rank is dead.
FAULTS = (MPI.ERR_PROC_FAILED, MPI.ERR_PROC_FAILED_PENDING)

#: What stands for the host of a rank that was dead before it could tell.
UNKNOWN_HOST = "unknown"

# By ranks, as those of COMM_WORLD: the duplicates that are put by, by the number that their rank 0 gave.
_put_by: dict[tuple[int, ...], dict[int, Duplicate]] = {}
_numbers = itertools.count()


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
        self.open: dict[int, MPIChannel] = {}
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
            _put_by.setdefault(self.key, {})[self.number] = self


def duplicate_of(comm: MPI.Comm, host: str) -> Duplicate:
    """The duplicate for a communicator; all ranks that live call it.

    :param host: the name of this rank's.
    """
    if survives(MPI) is not True:
        return _whole(comm, host)
    found = None
    try:
        found = _whole(comm, host)
    except MPI.Exception as error:
        if error.Get_error_class() not in (*FAULTS, MPI.ERR_REVOKED):
            raise
    # It may have worked for some ranks, and not for others: all or none.
    if _agree(comm, found is not None) and found is not None:
        return found
    return _of_those_left(comm, host)


def _whole(comm: MPI.Comm, host: str) -> Duplicate:
    """The duplicate of all ranks: one that all of them have put by, or a new one."""
    key = _ranks_in_the_world(comm)
    # Out of the reach of another task, which may open a pool on another communicator of these ranks meanwhile.
    mine = _put_by.pop(key, {})
    try:
        told = comm.allgather((host, next(_numbers), {number: each.serial for number, each in mine.items()}))
        common = set.intersection(*(set(theirs) for _, _, theirs in told))
        if common:
            number = min(common)
            found = mine.pop(number)
            found.serial = max(theirs[number] for _, _, theirs in told)
            found.early.clear()  # of pools that this rank did not open
            return found
    finally:
        _put_by.setdefault(key, {}).update(mine)
    found = Duplicate(comm.Dup(), comm, [each for each, _, _ in told])
    found.comm.Set_errhandler(MPI.ERRORS_RETURN)
    found.key, found.number = key, told[0][1]
    return found


def _of_those_left(comm: MPI.Comm, host: str) -> Duplicate:
    """A new duplicate, of the ranks that live."""
    while True:
        left = comm.Shrink()
        left.Set_errhandler(MPI.ERRORS_RETURN)
        hosts = None
        try:
            hosts = left.allgather(host)
        except MPI.Exception as error:
            if error.Get_error_class() not in (*FAULTS, MPI.ERR_REVOKED):
                raise
            left.Revoke()  # those that wait in there for this rank
        if _agree(left, hosts is not None) and hosts is not None:
            return Duplicate(left, comm, hosts)


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
