"""Communicators: mpi4py's names and meaning, in virtual time.

What their ranks tell each other is in `point_to_point` and the files of collective calls; what they share, in
`contexts`; how those are made that only some ranks make, in `grouping`, and with a topology, in
`topology_constructors`.
"""

from __future__ import annotations

from typing import Any, NoReturn, Self

from bsbpool.exceptions import JobPoolError
from bsbpool.worlds import NO_COMMUNICATOR

from ..cluster import Cluster
from ..error_classes import ERR_LASTCODE, added, error_class
from ..errors import MPIError
from .aborting import abort
from .attributes import WithAttributes
from .collectives import Collectives, Scans
from .constants import ANY_SOURCE, COMM_TYPE_SHARED, LARGEST_TAG, TAG_UB, UNDEFINED, means
from .contexts import Context, bridge
from .dynamic import Dynamic, join
from .endpoint import CLASSES, new_comm
from .error_handlers import WithErrhandler, give_first_handler, guard
from .fault_tolerance import FaultTolerance
from .grouping import FromGroups
from .groups import Group, agree_on_groups, ranks_of
from .handles import Handle
from .info import INFO_NULL, Info, hints_of
from .integer_arguments import instance, integer, text_argument
from .members import CommMember, member_between
from .named_integers import NUMBERS
from .nonblocking_collectives import NonblockingCollectives, NonblockingScans
from .object_collectives import ObjectCollectives, ObjectScans
from .persistent_collectives import PersistentCollectives, PersistentScans
from .persistent_messages import PersistentPointToPoint
from .requests import Request
from .running_rank import running_task
from .topology_arithmetic import Grid, Neighbours, RankGraph
from .topology_constructors import MakingTopologies

IDENT, CONGRUENT, SIMILAR, UNEQUAL = 0, 1, 2, 3

#: What MPI itself attaches to communicators, besides TAG_UB and LASTUSEDCODE. All ranks have one clock.
_ATTRIBUTES = {
    NUMBERS["IO"]: int(ANY_SOURCE),
    NUMBERS["WTIME_IS_GLOBAL"]: 1,
    NUMBERS["APPNUM"]: 0,
    NUMBERS["UNIVERSE_SIZE"]: None,
}

#: The hint that names what the ranks of a part share, and the only thing of the kind there is.
_RESOURCE, _MEMORY = "mpi_hw_resource_type", "mpi_shared_memory"

MAX_OBJECT_NAME = NUMBERS["MAX_OBJECT_NAME"]


class Comm(
    PersistentPointToPoint,
    Collectives,
    NonblockingCollectives,
    PersistentCollectives,
    ObjectCollectives,
    WithAttributes,
    WithErrhandler,
    FaultTolerance,
    root=True,
):
    """A communicator, as one simulated rank has it.

    Lower-case methods take any object that can be pickled, upper-case ones take buffers, as in mpi4py.
    Ranks are those of this communicator. Whatever MPI forbids raises `MPIError` (``MPI.Exception``).
    """

    _null_name = "COMM_NULL"
    _null_number = 0x04000000

    @classmethod
    def _class_of(cls, state: CommMember | None) -> type[Handle]:
        return Comm if state is None else CLASSES[state.kind]

    def _copied(self, other: Any) -> None:
        guard(self)

    def _all_handles(self) -> list[Any]:
        return [handle for each in self.member.handles if (handle := each()) is not None and handle._state is not None]

    @classmethod
    def _state_numbered(cls, number: int) -> Any:
        here = current()
        for each in (here, self_comm(here.cluster, here.world_rank)):
            if each.member.number == number:
                return each.member
        return super()._state_numbered(number)

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

    def Get_group(self) -> Group:
        """The group of the communicator's ranks; of an inter-communicator, the one that this rank is in."""
        return Group._of_all(self.member.context.own)

    group = property(Get_group, doc="The group of the communicator's ranks.")

    @property
    def name(self) -> str:
        """The communicator's name, as this rank has named it."""
        return "MPI_COMM_NULL" if self._state is None else self.member.name

    @name.setter
    def name(self, name: str) -> None:
        self.Set_name(name)

    def Get_name(self) -> str:
        """The communicator's name; "" if this rank has given it none."""
        return self.name

    def Set_name(self, name: str) -> None:
        """Name the communicator, as this rank calls it; of a name, MPI keeps the first 127 characters."""
        name = text_argument(name, "the name of a communicator")[: MAX_OBJECT_NAME - 1]
        self.Get_rank()  # an error, of a null one
        self.member.name = name
        self.context.name = self.meeting.name = name  # which reports give

    def Is_inter(self) -> bool:
        """Whether there are two groups, each of which talks to the other."""
        return self.member.bridge is not None

    is_inter = property(Is_inter, doc="Whether there are two groups, each of which talks to the other.")

    def Is_intra(self) -> bool:
        """Whether there is one group."""
        return self.member.bridge is None

    is_intra = property(Is_intra, doc="Whether there is one group.")

    def Get_topology(self) -> int:
        """Return CART, GRAPH, DIST_GRAPH, or UNDEFINED if there is no topology."""
        kinds = {Grid: "CART", RankGraph: "GRAPH", Neighbours: "DIST_GRAPH"}
        topology = self.member.topology
        return UNDEFINED if topology is None else NUMBERS[kinds[type(topology)]]

    topology = property(Get_topology, doc="CART, GRAPH, DIST_GRAPH, or UNDEFINED if there is no topology.")

    @property
    def is_topo(self) -> bool:
        """Whether there is a topology."""
        return self.member.topology is not None

    def Compare(self, comm: Comm) -> int:
        """IDENT for the same communicator, CONGRUENT for the same ranks, SIMILAR if in another order."""
        for each in (self, instance(comm, Comm, "Compare: comm")):
            each.Get_rank()  # an error, of a null one
        mine, theirs = self.member, comm.member
        if mine is theirs:
            return IDENT
        if (mine.bridge is None) is not (theirs.bridge is None):
            return UNEQUAL
        result = _compared(mine.context.own, theirs.context.own)
        return result if mine.bridge is None else max(result, _compared(mine.context.members, theirs.context.members))

    # -- hints and attributes ----------------------------------------------------------------------

    def Get_info(self) -> Info:
        """Return the communicator's hints."""
        return Info._new(self.member.hints)

    def Set_info(self, info: Any) -> None:
        """Add hints to those of the communicator. All ranks call it."""
        hints = hints_of(info, "Set_info")
        if not info:
            raise MPIError("Set_info: info is INFO_NULL, or was freed", "ERR_ARG")
        self.member.hints.update(hints)

    info = property(lambda self: Info._made(self.member.hints), Set_info, doc="The communicator's hints.")

    def _predefined_attribute(self, keyval: int) -> Any:
        if means(keyval, TAG_UB):
            return LARGEST_TAG
        if keyval == NUMBERS["LASTUSEDCODE"]:
            return max((code for code in added() if error_class(code) == code), default=ERR_LASTCODE)
        return _ATTRIBUTES.get(keyval, NotImplemented)

    # -- communicators -----------------------------------------------------------------------------

    def Dup(self, info: Any = None) -> Self:
        """A communicator of the same ranks, whose messages never mix with this one's. All ranks call it.

        :param info: its hints; by default those of this one.
        """
        return self._duplicate("Dup", info)

    def Clone(self) -> Self:
        """`Dup`."""
        return self._duplicate("Clone", None)

    def Dup_with_info(self, info: Any) -> Self:
        """`Dup`, with hints."""
        instance(info, Info, "Dup_with_info: info")
        return self._duplicate("Dup_with_info", info)

    def _duplicate(self, name: str, info: Any) -> Self:
        hints, attributes = self._taken_along(name, info)
        call = self._together(name)
        if call.result is None:
            call.result = self.member.shared_anew()
        return self._new(call.result, hints, attributes)

    def Idup(self, info: Any = None) -> tuple[Self, Request]:
        """Begin `Dup`. Returns the communicator, which may be used once the request is complete, and the request."""
        return self._begin_duplicate("Idup", info)

    def Idup_with_info(self, info: Any) -> tuple[Self, Request]:
        """Begin `Dup_with_info`. Returns the communicator and a request."""
        instance(info, Info, "Idup_with_info: info")
        return self._begin_duplicate("Idup_with_info", info)

    def _begin_duplicate(self, name: str, info: Any) -> tuple[Self, Request]:
        hints, attributes = self._taken_along(name, info)
        call, request = self._begin_together(name)
        if call.result is None:
            call.result = self.member.shared_anew()
        return self._new(call.result, hints, attributes), request

    def _taken_along(self, name: str, info: Any) -> tuple[dict[str, str], dict[int, Any]]:
        """The hints and the attributes of a duplicate."""
        return (self.member.hints if info is None else hints_of(info, name)), self._copied_attributes()

    def _new(self, shared: Any, hints: dict[str, str], attributes: dict[int, Any]) -> Self:
        member = self.member.like(shared)
        member.hints = {**hints}
        member.attributes.update(attributes)
        new = type(self).__new__(type(self))
        new._attach(member)
        give_first_handler(new, self.member)
        return new

    def Create(self, group: Any) -> Any:
        """A communicator of the ranks of a group. All ranks call it; ranks of different groups get different ones.

        :param group: ranks of this communicator; of an inter-communicator, of this rank's group.
        :returns: COMM_NULL on ranks that are not in the group that they name.
        """
        members = ranks_of(group, "Create")
        if any(each not in self.context.own for each in members):
            raise MPIError("Create: a rank of the group is not in this communicator", "ERR_GROUP")
        call = self._together("Create", members)
        mine = self.member
        if mine.bridge is not None:
            return self._between("Create", call, [call.payloads[0]], [call.payloads[len(mine.bridge[0].own)]])
        if call.result is None:
            agree_on_groups(self._in_order(call), self.context.own)
            call.result = {}
        if self.world_rank not in members:
            return CLASSES["Intracomm"]()
        if members not in call.result:
            call.result[members] = Context(self.cluster, members)
        return new_comm(CommMember(call.result[members], members.index(self.world_rank)), self.member)

    def Split(self, color: int = 0, key: int = 0) -> Any:
        """A communicator of the ranks with the same color, ordered by key, then rank. All ranks call it.

        :returns: COMM_NULL if the color is UNDEFINED, or no rank of the other group has it, if there are two.
        """
        color, key = integer(color, "color"), integer(key, "key")
        absent = means(color, UNDEFINED)
        if color < 0 and not absent:
            raise MPIError(f"color={color!r}: a color is 0 or more, or MPI.UNDEFINED", "ERR_ARG")
        return self._split("Split", None if absent else (color, key))

    def _split(self, name: str, wish: tuple[int, int] | None) -> Any:
        mine = self.member
        if mine.bridge is not None:
            call = self._together(name, wish)
            middle = len(mine.bridge[0].own)
            wishes = self._in_order(call)
            first, second = _parts(wishes[:middle]), _parts(wishes[middle:])
            colors = [color for color in first if color in second]
            sides = [
                [tuple(shared.own[rank] for rank in part[color]) for color in colors]
                for shared, part in ((mine.bridge[0], first), (mine.bridge[1], second))
            ]
            return self._between(name, call, *sides)
        found = self._divided(name, wish)
        return CLASSES["Intracomm"]() if found is None else new_comm(CommMember(*found), self.member)

    def _divided(self, name: str, wish: tuple[int, int] | None) -> tuple[Context, int] | None:
        """What the ranks share that name the same color, and this one's number there; None if it names none."""
        call = self._together(name, wish)
        if call.result is None:
            call.result = {}
            for order in _parts(self._in_order(call)).values():
                part = Context(self.cluster, [self.context.own[r] for r in order])
                call.result.update({r: (part, i) for i, r in enumerate(order)})
        found: tuple[Context, int] | None = call.result.get(self.rank)
        return found

    def _between(self, name: str, call: Any, first: Any, second: Any) -> Any:
        """An inter-communicator of that pair of groups in which this rank is; a null one if it is in none."""
        mine = self.member
        groups = (first, second)[mine.side]
        if call.result is None:
            call.result = {}
        for n, members in enumerate(groups):
            if self.world_rank in members and first[n] and second[n]:
                if n not in call.result:
                    call.result[n] = bridge(self.cluster, first[n], second[n])
                return new_comm(member_between(call.result[n], mine.side, members.index(self.world_rank)), self.member)
        return CLASSES["Intercomm"]()

    def Split_type(self, split_type: int, key: int = 0, info: Any = INFO_NULL) -> Any:
        """The ranks on this rank's host, which can share memory: all of them, unless there are several hosts.

        :param split_type: COMM_TYPE_SHARED; COMM_TYPE_HW_GUIDED or COMM_TYPE_RESOURCE_GUIDED, if `info` asks for shared
            memory; COMM_TYPE_HW_UNGUIDED for the next smaller part, which is a host if there are several; or UNDEFINED.
        :returns: COMM_NULL if the type is UNDEFINED, or there is no such part.
        :raises MPIError: it is none of these.
        """
        hints = hints_of(info, "Split_type")
        number, key = integer(split_type, "split_type"), integer(key, "key")
        if means(split_type, UNDEFINED):
            return self._split("Split_type", None)
        here = self.cluster.hosts.of(self.world_rank), key
        if means(split_type, COMM_TYPE_SHARED):
            return self._split("Split_type", here)
        if number in (NUMBERS["COMM_TYPE_HW_GUIDED"], NUMBERS["COMM_TYPE_RESOURCE_GUIDED"]):
            return self._split("Split_type", here if hints.get(_RESOURCE) == _MEMORY else None)
        if number == NUMBERS["COMM_TYPE_HW_UNGUIDED"]:
            smaller = not self.cluster.hosts.together(self.context.members)
            if smaller and info:
                # By MPI, what HW_GUIDED takes for the same part; MPICH says "node", and takes it in no call.
                info.Set(_RESOURCE, _MEMORY)
            return self._split("Split_type", here if smaller else None)
        raise MPIError(f"Split_type({split_type!r}): give one like MPI.COMM_TYPE_SHARED, or MPI.UNDEFINED", "ERR_ARG")

    def Free(self) -> None:
        """Give the communicator up; whatever is done with it afterwards is an error. All ranks call it.

        :raises MPIError: it is COMM_WORLD or COMM_SELF.
        """
        self._give_up("Free")

    def Disconnect(self) -> None:
        """`Free`, after what is under way on the communicator. All ranks call it.

        :raises MPIError: it is COMM_WORLD or COMM_SELF.
        """
        self._give_up("Disconnect")

    def _give_up(self, name: str) -> None:
        member = self.member
        kept, cluster = member.constant, member.cluster
        assert cluster is not None
        if kept:
            raise MPIError(f"{name} of MPI.{kept}, which is MPI's own", "ERR_COMM")
        self._delete_attributes()
        # As MPICH: who frees goes on, and who disconnects waits for all.
        self._together(name, waits="all" if name == "Disconnect" else "nobody")
        member.freed = True
        for other in member.handles:
            handle = other()
            if handle is not None:
                handle._detach()
        self._nullify()

    # -- what there is not -------------------------------------------------------------------------

    @classmethod
    def Get_parent(cls) -> Any:
        """Return the communicator with those who have started this rank: COMM_NULL, for nobody has."""
        return CLASSES["Intercomm"]()

    @classmethod
    def Join(cls, fd: int) -> NoReturn:
        """Refuse.

        :raises CannotSimulateError: always.
        """
        join(fd)

    def Abort(self, errorcode: int = 0) -> NoReturn:
        """End the simulation: `simulate` raises `AbortError`."""
        abort(errorcode, f"called Abort({errorcode})")


def _parts(wishes: list[tuple[int, int] | None]) -> dict[int, list[int]]:
    """The ranks that wish for each color, in the order of their keys."""
    parts: dict[int, list[tuple[int, int]]] = {}
    for rank, wish in enumerate(wishes):
        if wish is not None:
            parts.setdefault(wish[0], []).append((wish[1], rank))
    return {color: [rank for _, rank in sorted(parts[color])] for color in sorted(parts)}


def _compared(mine: Any, theirs: Any) -> int:
    if [*mine] == [*theirs]:
        return CONGRUENT
    return SIMILAR if sorted(mine) == sorted(theirs) else UNEQUAL


class Intracomm(Comm, Scans, NonblockingScans, PersistentScans, ObjectScans, FromGroups, MakingTopologies, Dynamic):
    """A communicator of one group of ranks."""

    @classmethod
    def _check(cls, state: CommMember) -> None:
        if state.bridge is not None:
            raise TypeError(f"MPI.{cls.__name__} takes a communicator of one group, not an inter-communicator")


CLASSES["Intracomm"] = Intracomm

#: The communicator of a rank that is in none.
COMM_NULL = Comm._named(None)


def world_comms(cluster: Cluster) -> list[Comm]:
    """MPI.COMM_WORLD, as each rank has it. It is the first communicator of a cluster."""
    if not cluster.comms:
        ranks = range(len(cluster.kernel.ranks))
        world = Context(cluster, ranks, "MPI_COMM_WORLD")
        cluster.comms = [_predefined(CommMember(world, rank), "COMM_WORLD", 0x44000000) for rank in ranks]
    return cluster.comms


def self_comm(cluster: Cluster, rank: int) -> Comm:
    """MPI.COMM_SELF of a rank."""
    if rank not in cluster.selves:
        member = CommMember(Context(cluster, [rank], "MPI_COMM_SELF"), 0)
        cluster.selves[rank] = _predefined(member, "COMM_SELF", 0x44000001)
    found: Comm = cluster.selves[rank]
    return found


def reattach(before: Cluster, after: Cluster) -> None:
    """Let COMM_WORLD and COMM_SELF of other ranks be those of these: whoever holds them goes on with these ranks.

    :param before: as many ranks, on which nothing runs.
    """
    for rank, comm in enumerate([*world_comms(after)]):
        after.comms[rank] = _goes_on(before.comms[rank], comm)
    for rank, comm in before.selves.items():
        after.selves[rank] = _goes_on(comm, self_comm(after, rank))


def _goes_on(comm: Comm, after: Comm) -> Comm:
    """Let a communicator be another one; what programs have set for it stays."""
    old, new = comm._state, after._state
    assert old is not None and new is not None
    new.name, new.hints, new.errhandler = old.name, old.hints, old.errhandler
    if old.__dict__.get("attributes"):
        new.attributes.update(old.attributes)
    for handle in [each() for each in old.handles]:
        if handle is not None:
            handle._detach()
            handle._attach(new)
    return comm


def _predefined(member: CommMember, name: str, number: int) -> Comm:
    member.constant, member.number = name, number
    return Intracomm._named(member)


def current() -> Comm:
    """The world's communicator of the simulated rank that runs now.

    :raises SimulationError: none does.
    """
    task = running_task()
    return world_comms(task.kernel.cluster)[task.rank.index]
