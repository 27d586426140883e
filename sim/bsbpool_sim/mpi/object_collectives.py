"""Collective communication of objects: the lower-case methods. Objects are pickled, so ranks do not share them.

What buffers are sent and reduced is in `collective_parts` and `reduction_parts`; who waits for whom, in
`collective_call`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bsbpool.values import shown

from .collective_call import Collective, Part, SpecialPart, none, nothing
from .collective_parts import Parts
from .operations import OPS, operation
from .reduction_orders import binomial, prefix
from .requests import unpickled

SUM = OPS["SUM"]


def _from_root(call: Collective) -> Any:
    return unpickled(call.from_root)


class ObjectCollectives(Parts):
    """The collective calls of objects, which every communicator has."""

    def _bring(self, obj: Any) -> Callable[[], tuple[Any, int]]:
        data = self._dumps(obj)
        return lambda: (data, len(data))

    def _bring_items(self, objects: Any, name: str, count: int) -> Callable[[], tuple[Any, int]]:
        if objects is None:
            objects = [None] * count  # as mpi4py
        items = list(objects) if hasattr(objects, "__iter__") else None
        if items is None or len(items) != count:
            got = f"{type(objects).__name__} {shown(objects)}" if items is None else f"{len(items)}"
            raise ValueError(f"{name} needs {count} items, one for each rank, not {got}")
        parts = [self._dumps(item) for item in items]
        return lambda: (parts, sum(map(len, parts)))

    def _take_list(self, call: Collective) -> list[Any]:
        payloads = call.payloads
        return [unpickled(payloads[index]) for index in self._side.peers]

    def barrier(self) -> None:
        """Wait until every rank has called it."""
        self._now(self._barrier("barrier"))

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """The root's object, on every rank; the root gets a copy too.

        Between two groups, the root's own group gets None.

        :param obj: the object, on the root.
        :param root: the rank that gives it.
        """
        role = self._role("bcast", root)
        if role.is_root:
            take = _from_root if role.is_leaf else none
            return self._now(Part("bcast", self._bring(obj), take, "root", role.root))
        if not role.is_leaf:
            return self._now(self._idle("bcast", role, "root"))
        if role.kept is None:
            role.kept = Part("bcast", nothing, _from_root, "root", role.root)
        return self._now(role.kept)

    def scatter(self, sendobj: Sequence[Any] | None, root: int = 0) -> Any:
        """The root's n-th item, on rank n.

        :param sendobj: the items, on the root.
        :param root: the rank that gives them.
        :raises ValueError: the root has not one item for each rank.
        """
        role = self._role("scatter", root)
        if not role.is_root and not role.is_leaf:
            return self._now(self._idle("scatter", role, "root"))

        def take(call: Collective) -> Any:
            return unpickled(call.from_root[self.rank])

        bring = self._bring_items(sendobj, "scatter", len(role.leaves)) if role.is_root else nothing
        return self._now(Part("scatter", bring, take if role.is_leaf else none, "root", role.root))

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        """Every rank's object in a list, on the root; None elsewhere.

        :param sendobj: this rank's object.
        :param root: the rank that gets the list.
        """
        gathered: list[Any] | None = self._to_root("gather", sendobj, root, self._take_list)
        return gathered

    def _to_root(self, name: str, sendobj: Any, root: int, take: Callable[[Collective], Any], detail: str = "") -> Any:
        role = self._role(name, root)
        if not role.is_root and not role.is_leaf:
            return self._now(self._idle(name, role, "gather", detail))
        bring = self._bring(sendobj) if role.is_leaf else nothing
        last = take if role.is_root else none
        if self._side.other:
            return self._now(SpecialPart(name, bring, last, "gather", role.root, detail, sources=role.leaves))
        return self._now(Part(name, bring, last, "gather", role.root, detail))

    def allgather(self, sendobj: Any) -> list[Any]:
        """Every rank's object in a list, on every rank.

        :param sendobj: this rank's object.
        """
        gathered: list[Any] = self._now(Part("allgather", self._bring(sendobj), self._take_list))
        return gathered

    def alltoall(self, sendobj: Sequence[Any]) -> list[Any]:
        """What each rank had as the item with this rank's number.

        :param sendobj: an item for each rank.
        :raises ValueError: there is not one item for each rank.
        """

        def take(call: Collective) -> list[Any]:
            return [unpickled(call.payloads[index][self.rank]) for index in self._side.peers]

        bring = self._bring_items(sendobj, "alltoall", len(self._side.peers))
        exchanged: list[Any] = self._now(Part("alltoall", bring, take))
        return exchanged

    def reduce(self, sendobj: Any, op: Any = SUM, root: int = 0) -> Any:
        """Every rank's object, reduced with `op`, on the root; None elsewhere.

        :param sendobj: this rank's object.
        :param op: one of MPI's operations, one of `Op.Create`, or a function of two objects.
        :param root: the rank that gets the result.
        """
        op = operation(op)
        return self._to_root("reduce", sendobj, root, lambda call: binomial(op, self._take_list(call)), op.detail)

    def allreduce(self, sendobj: Any, op: Any = SUM) -> Any:
        """Every rank's object, reduced with `op`, on every rank.

        :param sendobj: this rank's object.
        :param op: one of MPI's operations, one of `Op.Create`, or a function of two objects.
        """
        op, first = operation(op), self._side.peers[0]

        def take(call: Collective) -> Any:
            results: dict[int, bytes] = call.result or {}
            call.result = results
            if first not in results:
                results[first] = self._dumps(binomial(op, self._take_list(call)))
            return unpickled(results[first])

        return self._now(Part("allreduce", self._bring(sendobj), take, detail=op.detail))


class ObjectScans(ObjectCollectives):
    """The scans of objects, which communicators of one group have."""

    def scan(self, sendobj: Any, op: Any = SUM) -> Any:
        """The objects of the ranks up to this one, reduced with `op`.

        :param sendobj: this rank's object.
        :param op: one of MPI's operations, one of `Op.Create`, or a function of two objects.
        """
        return self._scan_objects("scan", sendobj, op, True)

    def exscan(self, sendobj: Any, op: Any = SUM) -> Any:
        """The objects of the ranks below this one, reduced with `op`; None on rank 0.

        :param sendobj: this rank's object.
        :param op: one of MPI's operations, one of `Op.Create`, or a function of two objects.
        """
        return self._scan_objects("exscan", sendobj, op, False)

    def _scan_objects(self, name: str, sendobj: Any, op: Any, itself: bool) -> Any:
        op, rank = operation(op), self.rank

        def pair(first: bytes, second: bytes) -> bytes:
            return self._dumps(op(unpickled(first), unpickled(second)))

        def take(call: Collective) -> Any:
            call.result = call.result or {}
            result = prefix(rank, itself, call.payloads.__getitem__, pair, call.result)
            return None if result is None else unpickled(result)

        return self._now(Part(name, self._bring(sendobj), take, "lower", None, op.detail))
