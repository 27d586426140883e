"""The calls of MPI's extension for failed processes (ULFM) by which the living ranks agree and continue.

A rank that a script lets die is known at once to all. What waits for it goes on waiting, and a deadlock names it; so a
communicator can't be revoked.
"""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import UnsupportedError
from .collective_forms import Forms
from .contexts import Context, bridge
from .endpoint import new_comm
from .grouping import arrive
from .groups import Group
from .integer_arguments import integer
from .members import CommMember, member_between
from .requests import Request


class FaultTolerance(Forms):
    """The methods by which ranks continue after the death of others."""

    def _alive(self, ranks: Any) -> list[int]:
        kernel = self.cluster.kernel
        return [rank for rank in ranks if kernel.ranks[rank].dead_at is None]

    def Get_failed(self) -> Group:
        """Return the group of the communicator's ranks that have died."""
        alive = self._alive(self.context.own)
        return Group._made(rank for rank in self.context.own if rank not in alive)

    def Ack_failed(self, num_to_ack: int | None = None) -> int:
        """Acknowledge deaths of ranks. Returns how many were acknowledged so far.

        :param num_to_ack: how many at most; by default all.
        """
        most = None if num_to_ack is None else integer(num_to_ack, "num_to_ack")
        dead = len(self.context.own) - len(self._alive(self.context.own))
        member = self.member
        member.acknowledged = max(member.acknowledged, dead if most is None else min(most, dead))
        return member.acknowledged

    def Agree(self, flag: int) -> int:
        """Return the bits that all living ranks have set. All of them call it."""
        flag, end = integer(flag, "flag"), self._among_the_living("Agree")
        call = end._together("Agree", flag)
        return _common(end, call)

    def Iagree(self, flag: Any) -> Request:
        """Begin `Agree`. The request's end writes the result.

        :param flag: a buffer of one int.
        :raises ValueError: it is none.
        """
        memory = memoryview(flag)
        if memory.format != "i" or memory.nbytes != memory.itemsize:
            raise ValueError("Iagree: flag must be a buffer of one int")
        end = self._among_the_living("Iagree")

        def write(call: Any) -> None:
            memory[0] = _common(end, call)

        _, request = end._begin_together("Iagree", int(memory[0]), write)
        return request

    def Shrink(self) -> Any:
        """Return a communicator of the ranks that live. All of them call it."""
        end = self._among_the_living("Shrink")
        return self._shrunk(end._together("Shrink"))

    def Ishrink(self) -> tuple[Any, Request]:
        """Begin `Shrink`. Returns the communicator, which may be used once the request is complete, and the request."""
        call, request = self._among_the_living("Ishrink")._begin_together("Ishrink")
        return self._shrunk(call), request

    def _shrunk(self, call: Any) -> Any:
        mine = self.member
        if mine.bridge is not None:
            groups = [self._alive(mine.bridge[side].own) for side in (0, 1)]
            if call.result is None:
                call.result = bridge(self.cluster, *groups)
            return new_comm(
                member_between(call.result, mine.side, groups[mine.side].index(self.world_rank)), self.member
            )
        alive = self._alive(self.context.own)
        if call.result is None:
            call.result = Context(self.cluster, alive)
        return new_comm(CommMember(call.result, alive.index(self.world_rank)), self.member)

    def _among_the_living(self, name: str) -> Forms:
        """This rank's end of a context in which those meet that live."""
        self.member.agreements += 1
        alive = self._alive(self.meeting.members)
        return arrive(self.cluster, (self.meeting.number, self.member.agreements), alive, name)

    def Is_revoked(self) -> bool:
        """Return False: no communicator is revoked."""
        return self.member.freed

    def Revoke(self) -> NoReturn:
        """Refuse.

        :raises CannotSimulateError: always.
        """
        raise UnsupportedError("Revoke can't be simulated: let the ranks tell each other by messages")


def _common(end: Forms, call: Any) -> int:
    bits = -1
    for flag in end._in_order(call):
        bits &= flag
    return bits
