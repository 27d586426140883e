"""Groups: ordered sets of ranks. Communicators that are made of them are in `communicators` and `grouping`."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, Self

from ..errors import CollectiveMismatchError, MPIError
from .constants import PROC_NULL, UNDEFINED, means
from .handles import Handle, State, predefine
from .integer_arguments import instance, integer, items
from .running_rank import note_made, running_task

IDENT, SIMILAR, UNEQUAL = 0, 2, 3


class GroupState(State):
    """The ranks of a group, by their numbers in the simulation.

    :param origin: what a communicator and its duplicates, windows and files have in common if the group is theirs: MPI
        gives the same group each time that it is asked.
    """

    def __init__(self, members: Sequence[int], origin: Any = None):
        self.members = tuple(members)
        self.origin = origin

    @functools.cached_property
    def places(self) -> dict[int, int]:
        """The number in the group of each of its ranks."""
        return {member: place for place, member in enumerate(self.members)}


_EMPTY = predefine(GroupState(()), "GROUP_EMPTY", 0x48000000)


class Group(Handle, root=True):
    """A group: ranks in an order."""

    _null_name = "GROUP_NULL"
    _null_number = 0x08000000
    _state: GroupState | None

    @classmethod
    def _made(cls, members: Iterable[int], origin: Any = None) -> Self:
        ranks = tuple(members)
        if not ranks:
            return cls._of(_EMPTY)
        made = cls._of(GroupState(ranks, origin))
        note_made(made._state, "group")
        return made

    @classmethod
    def _of_all(cls, members: Sequence[int]) -> Self:
        """The group of a communicator, a window or a file: all that share one list of ranks have the same group."""
        return cls._made(members, members)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Group):
            return NotImplemented
        own, others = self._state, other._state
        if own is None or others is None or own.origin is None:
            return own is others
        return own.origin is others.origin

    # As mpi4py's, they can't be hashed. Types allow no None here, although Python defines it.
    __hash__ = None  # type: ignore[assignment]

    def _own(self, call: str) -> GroupState:
        if self._state is None:
            raise MPIError(f"{call} of GROUP_NULL, or a group that was freed", "ERR_GROUP")
        return self._state

    def Get_size(self) -> int:
        """Return the number of ranks."""
        return len(self._own("Get_size").members)

    size = property(Get_size, doc="Number of ranks.")

    def Get_rank(self) -> int:
        """Return the number of the rank that asks, or UNDEFINED if it is not in the group."""
        return self._own("Get_rank").places.get(running_task().rank.index, UNDEFINED)

    rank = property(Get_rank, doc="The number of the rank that asks, or UNDEFINED.")

    def Translate_ranks(self, ranks: Sequence[int] | None = None, group: Group | None = None) -> list[int]:
        """Return the numbers of ranks in another group: UNDEFINED for those that it lacks.

        :param ranks: numbers in this group; by default all.
        :param group: the other one; by default that of COMM_WORLD.
        """
        members = self._own("Translate_ranks").members
        places = None if group is None else _own(group, "Translate_ranks").places
        result: list[int] = []
        given = range(len(members)) if ranks is None else [*ranks]
        for each, number in zip(given, items(given, "rank"), strict=True):
            if means(each, PROC_NULL):
                result.append(PROC_NULL)
                continue
            self._number(number, "Translate_ranks")
            member = members[number]
            result.append(member if places is None else places.get(member, UNDEFINED))
        return result

    def Compare(self, group: Group) -> int:
        """Return IDENT for the same ranks, SIMILAR for them in another order, else UNEQUAL."""
        mine, theirs = self._own("Compare"), _own(group, "Compare")
        if mine.members == theirs.members:
            return IDENT
        return SIMILAR if sorted(mine.members) == sorted(theirs.members) else UNEQUAL

    def Dup(self) -> Self:
        """Return another group of the same ranks."""
        return self._made(self._own("Dup").members)

    @classmethod
    def Union(cls, group1: Group, group2: Group) -> Self:
        """Return the ranks of the first group, then those of the second that are not in it."""
        first, second = _own(group1, "Union"), _own(group2, "Union")
        return cls._made([*first.members, *(each for each in second.members if each not in first.places)])

    @classmethod
    def Intersection(cls, group1: Group, group2: Group) -> Self:
        """Return the ranks of the first group that are in the second."""
        first, second = _own(group1, "Intersection"), _own(group2, "Intersection")
        return cls._made(each for each in first.members if each in second.places)

    Intersect = Intersection

    @classmethod
    def Difference(cls, group1: Group, group2: Group) -> Self:
        """Return the ranks of the first group that are not in the second."""
        first, second = _own(group1, "Difference"), _own(group2, "Difference")
        return cls._made(each for each in first.members if each not in second.places)

    def Incl(self, ranks: Sequence[int]) -> Self:
        """Return the group of some ranks, in the order in which they are named."""
        return self._made(self._some("Incl", ranks))

    def Excl(self, ranks: Sequence[int]) -> Self:
        """Return the group without some ranks."""
        left = set(self._some("Excl", ranks))
        return self._made(each for each in self._own("Excl").members if each not in left)

    def Range_incl(self, ranks: Sequence[tuple[int, int, int]]) -> Self:
        """Return the group of ranges of ranks: triples of first, last and step."""
        return self._made(self._some("Range_incl", self._ranges("Range_incl", ranks)))

    def Range_excl(self, ranks: Sequence[tuple[int, int, int]]) -> Self:
        """Return the group without ranges of ranks."""
        left = set(self._some("Range_excl", self._ranges("Range_excl", ranks)))
        return self._made(each for each in self._own("Range_excl").members if each not in left)

    def _number(self, number: int, call: str, kind: str = "ERR_RANK") -> None:
        size = len(self._own(call).members)
        if not 0 <= number < size:
            raise MPIError(f"{call}: {number} is no rank of this group, which has {size}", kind)

    def _some(self, call: str, ranks: Sequence[int]) -> list[int]:
        members, found = self._own(call).members, dict[int, None]()
        for number in items(ranks, "rank"):
            self._number(number, call, "ERR_ARG" if call.startswith("Range") else "ERR_RANK")
            if members[number] in found:
                raise MPIError(f"{call}: rank {number} is named twice", "ERR_RANK")
            found[members[number]] = None
        return [*found]

    @staticmethod
    def _ranges(call: str, ranges: Sequence[tuple[int, int, int]]) -> list[int]:
        numbers: list[int] = []
        for triple in ranges:
            first, last, step = (integer(each, "a range of ranks") for each in triple)
            if step == 0:
                raise MPIError(f"{call}: a range of ranks with a step of 0", "ERR_ARG")
            if (last - first) * step < 0:
                raise MPIError(f"{call}: no step of {step} leads from rank {first} to rank {last}", "ERR_ARG")
            numbers += range(first, last + (1 if step > 0 else -1), step)
        return numbers

    @classmethod
    def Create_from_session_pset(cls, session: Any, pset_name: str) -> Any:
        """Return the group of a session's set of processes.

        :raises MPIError: there is none of this name.
        """
        if not hasattr(session, "Create_group"):
            raise TypeError(f"session must be an MPI.Session, not {session!r}")
        return session.Create_group(pset_name)

    def Free(self) -> None:
        """Give the group up; this handle is null then."""
        state = self._own("Free")
        if not self._is_name:
            state.freed = True
            self._nullify()


GROUP_NULL = Group._named(None)
GROUP_EMPTY = Group._named(_EMPTY)


def ranks_of(group: Any, call: str) -> tuple[int, ...]:
    """Return the ranks of a group that a program gave.

    :raises TypeError: it is none.
    :raises MPIError: it is null.
    """
    return _own(group, call).members


def _own(group: Any, call: str) -> GroupState:
    return instance(group, Group, f"{call}: group")._own(call)


def agree_on_groups(given: Sequence[Sequence[int]], ranks: Sequence[int]) -> None:
    """See that the ranks of each group that is given to `Create` give this group.

    :param given: the group that each rank gives. `ranks`: the ranks of the communicator, by their numbers in the
        simulation.
    :raises CollectiveMismatchError: one gives another.
    """
    places = {member: rank for rank, member in enumerate(ranks)}
    numbers: dict[Sequence[int], int] = {}
    which = [numbers.setdefault(each, len(numbers)) for each in given]
    for group, number in numbers.items():
        for member in group:
            rank = places[member]
            if which[rank] != number:
                first = which.index(number)
                texts = [f"the group of ranks {[places[each] for each in given[place]]}" for place in (first, rank)]
                raise CollectiveMismatchError(
                    f"Create: rank {first} gives {texts[0]}, and rank {rank} {texts[1]}: all ranks of a group have to "
                    "give it",
                    "ERR_GROUP",
                )
