"""Communicators of two groups, each of which talks to the other. How two groups meet is in `grouping`."""

from __future__ import annotations

import functools
from typing import Any

from ..errors import MPIError
from .collective_parts import Side
from .communicators import Comm
from .contexts import Context
from .endpoint import CLASSES, handle_of, new_comm
from .error_handlers import give_handler
from .grouping import between_groups
from .groups import Group
from .info import INFO_NULL, hints_of
from .members import CommMember


class Intercomm(Comm):
    """A communicator of two groups of ranks, each of which talks to the other."""

    @classmethod
    def _check(cls, state: CommMember) -> None:
        if state.bridge is None:
            raise TypeError(f"MPI.{cls.__name__} takes an inter-communicator, not a communicator of one group")

    @functools.cached_property
    def _side(self) -> Side:
        middle, everybody = len(self._shared[0].own), len(self.meeting.members)
        sides = range(middle), range(middle, everybody)
        mine = self.member.side
        return Side(self.place, sides[mine], sides[1 - mine], True)

    @property
    def _shared(self) -> Any:
        return self.member.bridge

    @classmethod
    def Create_from_groups(
        cls,
        local_group: Any,
        local_leader: int,
        remote_group: Any,
        remote_leader: int,
        stringtag: str = "org.mpi4py",
        info: Any = INFO_NULL,
        errhandler: Any = None,
    ) -> Any:
        """Return a communicator of two groups. All ranks of both call it.

        :param local_leader: a rank of the local group; `remote_leader`: one of the other.
        :param stringtag: tells calls from each other that the same ranks make.
        """
        hints = hints_of(info, "Create_from_groups")
        member = between_groups(local_group, local_leader, remote_group, remote_leader, stringtag)
        member.hints = hints
        new = handle_of(member)
        give_handler(new, errhandler)
        return new

    def Get_remote_group(self) -> Group:
        """Return the other group."""
        return Group._of_all(self.member.context.members)

    remote_group = property(Get_remote_group, doc="The other group.")

    def Get_remote_size(self) -> int:
        """Return the number of ranks of the other group."""
        return self.member.peers

    remote_size = property(Get_remote_size, doc="Number of ranks of the other group.")

    def Merge(self, high: bool = False) -> Any:
        """Return a communicator of both groups as one. All ranks of both call it.

        :param high: whether the ranks of this group come last; if both groups say the same, those come first that have
            the lower first rank.
        :raises MPIError: the ranks of one group don't say the same.
        """
        side = self._side
        call = self._together("Merge", bool(high))
        said = self._in_order(call)
        if any(said[rank] != bool(high) for rank in side.own):
            raise MPIError("Merge: the ranks of one group must say the same for high", "ERR_ARG")
        if call.result is None:
            first, second, both = self._shared
            middle = len(first.own)
            late = said[0], said[middle]
            turned = late[0] > late[1] or (late[0] == late[1] and first.own[0] > second.own[0])
            order = [*second.own, *first.own] if turned else [*both.members]
            call.result = Context(self.cluster, order)
        return new_comm(CommMember(call.result, [*call.result.members].index(self.world_rank)), self.member)


CLASSES["Intercomm"] = Intercomm
