"""Communicators: mpi4py's names and meaning, in virtual time.

What their ranks tell each other is in `point_to_point` and `collectives`; what they share, in `contexts`.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from bsbpool.durations import exact_duration
from bsbpool.exceptions import JobPoolError
from bsbpool.frames import file_of, outward, users_frame
from bsbpool.worlds import NO_COMMUNICATOR

from ..cluster import Cluster
from ..errors import AbortError, CannotSimulateError, MPIError
from .collectives import Collectives, Scans
from .constants import (
    COMM_TYPE_SHARED,
    LARGEST_TAG,
    TAG_UB,
    UNDEFINED,
    means,
)
from .contexts import Context
from .handles import Handle
from .members import Member
from .neighbours import NeighbourCollectives
from .nonblocking import NonblockingCollectives, NonblockingScans
from .objects import ObjectCollectives, ObjectScans
from .persistent import PersistentCollectives, PersistentScans
from .point_to_point import PointToPoint
from .running import running_task

IDENT, CONGRUENT, SIMILAR, UNEQUAL = 0, 1, 2, 3


class Comm(PointToPoint, Collectives, NonblockingCollectives, PersistentCollectives, ObjectCollectives, root=True):
    """A communicator, as one simulated rank has it.

    Lower-case methods take any object that can be pickled, upper-case ones take buffers, as in mpi4py.
    Ranks are those of this communicator. Whatever MPI forbids raises `MPIError` (``MPI.Exception``).
    """

    _null_name = "COMM_NULL"
    _null_number = 0x04000000

    @classmethod
    def _class_of(cls, state: Member | None) -> type[Handle]:
        return Comm if state is None else CLASSES[state.kind]

    def __repr__(self) -> str:
        if self._state is None:
            return "<simulated MPI_COMM_NULL>"
        return f"<simulated {self._state.name or 'communicator'}, rank {self._state.rank} of {self._state.size}>"

    @property
    def bsbpool_world(self) -> Any:
        """The world in which a job pool on this communicator lives."""
        member = self._state
        if member is None or member.freed:
            raise JobPoolError(NO_COMMUNICATOR)
        if member.world is None:
            make = member.cluster.make_world
            assert make is not None, "no programs run on these ranks"
            member.world = make(self)
        return member.world

    # -- who we are --------------------------------------------------------------------------------

    def Get_rank(self) -> int:
        """This rank's number in the communicator."""
        return self.rank

    def Get_size(self) -> int:
        """Number of ranks in the communicator."""
        return self.size

    @property
    def name(self) -> str:
        """The communicator's name, as this rank has named it."""
        return "MPI_COMM_NULL" if self._state is None else self.member.name

    @name.setter
    def name(self, name: str) -> None:
        self.member.name = name
        self.context.name = name  # which reports give

    def Get_name(self) -> str:
        """The communicator's name; "" if this rank has given it none."""
        return self.name

    def Set_name(self, name: str) -> None:
        """Name the communicator, as this rank calls it."""
        self.name = name

    def Is_inter(self) -> bool:
        """False: there are no inter-communicators here."""
        return False

    def Is_intra(self) -> bool:
        """True."""
        return True

    # -- communicators -----------------------------------------------------------------------------

    def Dup(self, info: Any = None) -> Comm:
        """A communicator of the same ranks, whose messages never mix with this one's. All ranks call it."""
        call = self._together("Dup")
        if call.result is None:
            call.result = Context(self.cluster, self.context.members)
        return Intracomm._of(Member(call.result, self.rank))

    Clone = Dup

    def Split(self, color: int = 0, key: int = 0) -> Comm:
        """A communicator of the ranks with the same color, ordered by key, then rank. All ranks call it.

        :returns: COMM_NULL if the color is UNDEFINED.
        """
        absent = means(color, UNDEFINED)
        if color < 0 and not absent:
            raise MPIError(f"color={color!r}: a color is 0 or more, or MPI.UNDEFINED")
        call = self._together("Split", None if absent else (color, key))
        if call.result is None:
            members: dict[int, list[tuple[int, int]]] = {}
            for r, wish in enumerate(self._in_order(call)):
                if wish is not None:
                    members.setdefault(wish[0], []).append((wish[1], r))
            call.result = {}
            for _, wishes in sorted(members.items()):
                order = [r for _, r in sorted(wishes)]
                group = Context(self.cluster, [self.context.members[r] for r in order])
                call.result.update({r: (group, i) for i, r in enumerate(order)})
        return Intracomm() if absent else Intracomm._of(Member(*call.result[self.rank]))

    def Split_type(self, split_type: int, key: int = 0, info: Any = None) -> Comm:
        """The ranks that share this rank's memory: it alone, for each simulated rank is a host of its own.

        :returns: COMM_NULL if the type is UNDEFINED.
        :raises CannotSimulateError: it is another one than COMM_TYPE_SHARED.
        """
        if means(split_type, UNDEFINED):
            return self.Split(UNDEFINED, key)
        if not means(split_type, COMM_TYPE_SHARED):
            raise CannotSimulateError(
                f"Split_type({split_type!r}) can't be simulated: give MPI.COMM_TYPE_SHARED, or MPI.UNDEFINED"
            )
        return self.Split(self.rank, key)

    def Get_attr(self, keyval: int) -> int | None:
        """The largest tag, for the key TAG_UB.

        :raises CannotSimulateError: it is another key.
        """
        if not means(keyval, TAG_UB):
            raise CannotSimulateError(f"Get_attr({keyval!r}) can't be simulated: of all attributes there is MPI.TAG_UB")
        return LARGEST_TAG

    def Free(self) -> None:
        """Give the communicator up; whatever is done with it afterwards is an error. All ranks call it.

        :raises MPIError: it is COMM_WORLD or COMM_SELF.
        """
        member = self.member
        if member.constant:
            raise MPIError(f"Free of MPI.{member.constant}, which is MPI's own", "ERR_COMM")
        self._together("Free")
        member.freed = True
        for other in member.handles:
            handle = other()
            if handle is not None:
                handle._detach()
        self._nullify()

    Disconnect = Free

    def Compare(self, other: Comm) -> int:
        """IDENT for the same communicator, CONGRUENT for the same ranks, SIMILAR if in another order."""
        mine, theirs = list(self.context.members), list(other.context.members)
        if self.context is other.context:
            return IDENT
        return CONGRUENT if mine == theirs else SIMILAR if sorted(mine) == sorted(theirs) else UNEQUAL

    def Abort(self, errorcode: int = 0) -> NoReturn:
        """End the simulation: `simulate` raises `AbortError`."""
        kernel = self.cluster.kernel
        frame = users_frame(outward(sys._getframe(1)))
        assert frame is not None
        place = file_of(frame), frame.f_lineno, frame.f_code.co_name
        where = "at {}:{} in {}".format(*place)
        text = f"rank {self.world_rank} called Abort({errorcode}) at {exact_duration(kernel.now)}, {where}"
        kernel.fail(AbortError(text, errorcode, self.world_rank, *place))
        raise AssertionError("unreachable: a task that failed the simulation is not resumed")  # pragma: no cover


class Intracomm(Comm, Scans, NonblockingScans, PersistentScans, ObjectScans):
    """A communicator of one group of ranks."""


class Topocomm(Intracomm, NeighbourCollectives):
    """A communicator with a topology."""


class Cartcomm(Topocomm):
    """A communicator whose ranks are on a grid."""

    _paired = True


class Graphcomm(Topocomm):
    """A communicator whose ranks are the nodes of a graph that all of them know."""


class Distgraphcomm(Topocomm):
    """A communicator whose ranks are the nodes of a graph of which each knows its neighbours."""


class Intercomm(Comm):
    """A communicator of two groups of ranks, each of which talks to the other."""


#: The classes of communicators, by name.
CLASSES: dict[str, type[Comm]] = {
    each.__name__: each for each in (Intracomm, Cartcomm, Graphcomm, Distgraphcomm, Intercomm)
}

#: The communicator of a rank that is in none.
COMM_NULL = Comm._named(None)


def world_comms(cluster: Cluster) -> list[Comm]:
    """MPI.COMM_WORLD, as each rank has it. It is the first communicator of a cluster."""
    if not cluster.comms:
        ranks = range(len(cluster.kernel.ranks))
        world = Context(cluster, ranks, "MPI_COMM_WORLD")
        cluster.comms = [_predefined(Member(world, rank), "COMM_WORLD", 0x44000000) for rank in ranks]
    return cluster.comms


def self_comm(cluster: Cluster, rank: int) -> Comm:
    """MPI.COMM_SELF of a rank."""
    if rank not in cluster.selves:
        member = Member(Context(cluster, [rank], "MPI_COMM_SELF"), 0)
        cluster.selves[rank] = _predefined(member, "COMM_SELF", 0x44000001)
    found: Comm = cluster.selves[rank]
    return found


def _predefined(member: Member, name: str, number: int) -> Comm:
    member.constant, member.number = name, number
    return Intracomm._named(member)


def current() -> Comm:
    """The world's communicator of the simulated rank that runs now.

    :raises SimulationError: none does.
    """
    task = running_task()
    return world_comms(task.kernel.cluster)[task.rank.index]
