"""What each rank brings to a collective call of buffers, and takes from it: one description for all forms of the call.

Reductions are in `reduction_parts`, neighbourhoods in `neighbours`. Who waits for whom is known by `collective_call`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import MPIError
from .blocks import Blocks, blocks, not_shared, put, read_all
from .buffers import Buffer, in_place
from .collective_call import Collective, Part, SpecialPart, none, nothing, present
from .collective_forms import Forms
from .constants import PROC_NULL, ROOT, means
from .integer_arguments import integer


class Side(NamedTuple):
    """The ranks of a collective call as one rank sees them: its own group and its peers.

    :ivar number: its number in the context.
    :ivar own: the numbers in the context of the ranks of its group, in order.
    :ivar peers: those of the ranks that it gives to and gets from: its own group, or the other one of two.
    :ivar other: whether that is another group.
    """

    number: int
    own: Sequence[int]
    peers: Sequence[int]
    other: bool = False

    def name(self, rank: int) -> str:
        """Return the name of a peer, given its rank among the peers."""
        return f"rank {rank} of the other group" if self.other else f"rank {rank}"

    def broadcasts(self, rank: int) -> str:
        """Return what a peer broadcasts, in words for errors."""
        return f"what {self.name(rank)} broadcasts"

    def scatters(self, rank: int) -> str:
        """Return what a peer scatters, in words for errors."""
        return f"what {self.name(rank)} scatters"

    def gives(self, call: str, rank: int) -> str:
        """Return what a peer gives to another call, in words for errors."""
        return f"what {self.name(rank)} gives to {call}"


class RootRole:
    """The role of a rank in a call with a root.

    :ivar root: the root's number in the context; None: this rank can't know it.
    :ivar is_root: whether it is the root.
    :ivar is_leaf: whether it is one of those that the root gives to, or gets from.
    :ivar leaves: the numbers in the context of all of these.
    :ivar kept: a part that is the same in every call, where there is one.
    """

    __slots__ = ("is_leaf", "is_root", "kept", "leaves", "root")

    def __init__(self, root: int | None, is_root: bool, is_leaf: bool, leaves: Sequence[int]):
        self.root = root
        self.is_root = is_root
        self.is_leaf = is_leaf
        self.leaves = leaves
        self.kept: Part | None = None


#: The two names of one call; here once, since it is the same for all ranks.
_BARRIERS = {name: SpecialPart(name, present, none, kind="Barrier") for name in ("barrier", "Barrier")}


class Parts(Forms):
    """Makes the parts of one rank in collective calls of buffers."""

    # Made when they are first needed: most ranks of most communicators need none.
    _own_side: Side | None = None
    _roles: dict[int, RootRole] | None = None

    @property
    def _side(self) -> Side:
        if self._own_side is None:
            self._own_side = self._new_side()
        return self._own_side

    def _new_side(self) -> Side:
        size, place = self.size, self.place
        if self.meeting is self.context:
            return Side(place, range(size), range(size))
        # Of two groups one comes first, and the other after it.
        start, others = place - self.rank, self.peers
        return Side(place, range(start, start + size), range(size, size + others) if start == 0 else range(start), True)

    def _role(self, name: str, root: Any) -> RootRole:
        """What this rank is in a call with this root."""
        known = self._roles
        if known is None:
            known = self._roles = {}
        role = known.get(root) if root.__class__ is int else None
        if role is None:
            role = self._new_role(name, root)
            if root.__class__ is int:
                known[root] = role
        return role

    def _new_role(self, name: str, root: Any) -> RootRole:
        side, root = self._side, integer(root, f"{name}: root")
        if not side.other:
            if not 0 <= root < self.size:
                raise MPIError(
                    f"{name}(root={root!r}): the root must be one of the ranks 0 to {self.size - 1}", "ERR_ROOT"
                )
            return RootRole(int(root), root == self.rank, True, side.peers)
        if 0 <= root < len(side.peers):
            return RootRole(side.peers[root], False, True, side.own)
        if means(root, ROOT):
            return RootRole(side.number, True, False, side.peers)
        if means(root, PROC_NULL):
            return RootRole(None, False, False, side.peers)
        raise MPIError(
            f"{name}(root={root!r}): between two groups, the root gives MPI.ROOT, the other ranks of its group "
            f"MPI.PROC_NULL, and those of the other group its rank, 0 to {len(side.peers) - 1}",
            "ERR_ROOT",
        )

    def _idle(self, name: str, role: RootRole, waits: str, detail: str = "") -> Part:
        """The part of a rank of the root's group that is not the root."""
        return SpecialPart(name, nothing, none, waits, None, detail, sources=role.leaves)

    def _barrier(self, name: str) -> Part:
        return _BARRIERS.get(name) or Part(name, present, none)

    def _bcast(self, name: str, buf: Any, root: Any) -> Part:
        role = self._role(name, root)
        if not role.is_root and not role.is_leaf:
            return self._idle(name, role, "root")
        if buf is not None and in_place(buf):
            raise MPIError(f"{name}: there is no IN_PLACE here: every rank gives a buffer", "ERR_BUFFER")
        buffer = Buffer(buf, receives=not role.is_root)
        if role.is_root:
            return Part(name, lambda: (buffer.read(), len(buffer)), none, "root", role.root).having(buffer, None)
        broadcasts = self._side.broadcasts
        part = Part(name, nothing, lambda call: put(buffer, call.from_root, broadcasts, root), "root", role.root)
        return part.having(None, buffer)

    def _scatter(self, name: str, sendbuf: Any, recvbuf: Any, root: Any, kind: str) -> Part:
        role, side = self._role(name, root), self._side
        if not role.is_root and not role.is_leaf:
            return self._idle(name, role, "root")
        count = len(side.peers)
        source = blocks(sendbuf, count, kind) if role.is_root else None
        stays = in_place(recvbuf)
        if stays and not role.is_root:
            raise MPIError(f"{name}: only the root may give IN_PLACE", "ERR_BUFFER")
        target = Blocks(recvbuf, receives=True) if role.is_leaf and not stays else None
        if source is not None and target is not None:
            not_shared(name, sendbuf, recvbuf)

        def bring() -> tuple[Any, int]:
            assert source is not None
            return read_all(source, count)

        def take(call: Collective) -> None:
            if target is not None:
                target.write(call.from_root[self.rank], side.scatters, root)

        return Part(name, nothing if source is None else bring, take, "root", role.root).having(source, target)

    def _gather(self, name: str, sendbuf: Any, recvbuf: Any, root: Any, kind: str) -> Part:
        role, side = self._role(name, root), self._side
        if not role.is_root and not role.is_leaf:
            return self._idle(name, role, "gather")
        target = blocks(recvbuf, len(side.peers), kind, True) if role.is_root else None
        if in_place(sendbuf) and target is None:
            raise MPIError(f"{name}: only the root may give IN_PLACE", "ERR_BUFFER")
        source = self._own_blocks(name, sendbuf, recvbuf, target) if role.is_leaf else None
        bring = nothing if source is None else self._bring_own(source, target)
        take = self._take_all(name, target) if target is not None else none
        if side.other:
            special = SpecialPart(name, bring, take, "gather", role.root, sources=role.leaves)
            return special.having(source, target)
        return Part(name, bring, take, "gather", role.root).having(source, target)

    def _allgather(self, name: str, sendbuf: Any, recvbuf: Any, kind: str) -> Part:
        target = blocks(recvbuf, len(self._side.peers), kind, True)
        source = self._own_blocks(name, sendbuf, recvbuf, target)
        return Part(name, self._bring_own(source, target), self._take_all(name, target)).having(source, target)

    def _own_blocks(self, name: str, sendbuf: Any, recvbuf: Any, target: Any) -> Any:
        """Where a rank has what it brings of which all get the same: its buffer, or where it gets everybody's."""
        if in_place(sendbuf):
            self._may_be_in_place(name)
            return target
        source = Blocks(sendbuf)
        if target is not None:
            not_shared(name, sendbuf, recvbuf)
        return source

    def _bring_own(self, source: Any, target: Any) -> Callable[[], tuple[Any, int]]:
        """What a rank brings of which all get the same: its buffer, or its own block where it gets everybody's."""
        block = self.rank if source is target else 0

        def bring() -> tuple[Any, int]:
            data = source.read(block)
            return data, len(data)

        return bring

    def _may_be_in_place(self, name: str) -> None:
        if self._side.other:
            raise MPIError(f"{name}: between two groups there is no IN_PLACE", "ERR_BUFFER")

    def _take_all(self, name: str, target: Any) -> Callable[[Collective], Any]:
        side = self._side
        giver = functools.partial(side.gives, name)

        def take(call: Collective) -> None:
            payloads = call.payloads
            for rank, number in enumerate(side.peers):
                target.write(payloads[number], giver, rank)

        return take

    def _alltoall(self, name: str, sendbuf: Any, recvbuf: Any, kind: str) -> Part:
        side = self._side
        count = len(side.peers)
        target = blocks(recvbuf, count, kind, True)
        if in_place(sendbuf):
            self._may_be_in_place(name)
            source = target
        else:
            source = blocks(sendbuf, count, kind)
            not_shared(name, sendbuf, recvbuf)
        mine, giver = self.rank, functools.partial(side.gives, name)

        def take(call: Collective) -> None:
            payloads = call.payloads
            for rank, number in enumerate(side.peers):
                target.write(payloads[number][mine], giver, rank)

        return Part(name, lambda: read_all(source, count), take).having(source, target)
