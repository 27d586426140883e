"""The data that each rank contributes to a reduction of buffers, and receives: one description for all forms of the
call.

The arithmetic belongs in `reductions`; waiting for ranks belongs in `collective_call`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import CountMismatchError, MPIError, TypeMismatchError
from .blocks import not_shared
from .buffers import Buffer, in_place
from .collective_call import Collective, Part, SpecialPart, none, nothing
from .collective_parts import Parts
from .datatypes import Datatype, is_alike, is_same
from .operations import Operation, operation
from .reduction_orders import ReductionOrder, binomial, by_halves, by_neighbours, prefix
from .reductions import check, combine

#: Bytes below which MPICH's `Reduce` goes along a binomial tree.
_LITTLE = 2048


class Reduction:
    """The buffers of one rank in a reduction.

    :param call: the method.
    :param op: the operation.
    :param source: what this rank gives; None: it gives nothing.
    :param target: where it gets the result; None: it gets none.
    """

    def __init__(self, call: str, op: Operation, source: Buffer | None, target: Buffer | None):
        self._call, self._op, self._source, self._target = call, op, source, target
        either = target if source is None else source
        assert either is not None
        self._type = either.type
        check(call, op, self._type)

    def part_of(self, part: Part) -> Part:
        """Return a part that has these buffers."""
        return part.having(self._source, self._target)

    def bring(self) -> tuple[Any, int]:
        """Return what this rank brings: the datatype, and the bytes."""
        assert self._source is not None
        return (self._type, self._source.read()), len(self._source)

    def of(self, call: Collective, numbers: Sequence[int], order: ReductionOrder = by_neighbours) -> bytes:
        """Reduce what ranks brought."""
        payloads = call.payloads
        type, first = payloads[numbers[0]][:2]
        size, parts = len(first), []
        for number in numbers:
            brought = payloads[number]
            if brought[0] is not type or len(brought[1]) != size:
                self.compare(call, numbers[0], number)
            parts.append(brought[1])
        return combine(self._op, self._type, parts, order)

    def to_root(self, call: Collective, numbers: Sequence[int]) -> bytes:
        """Reduce what ranks brought as `Reduce` does: little data in an order that begins at the root."""
        assert self._target is not None
        items = self._target.count
        little = len(call.payloads[numbers[0]][1]) < _LITTLE or items < 1 << (len(numbers).bit_length() - 1)
        if not little or not self._op.commute:
            return self.of(call, numbers)
        first = 0 if call.root not in numbers else numbers.index(call.root)
        return self.of(call, [*numbers[first:], *numbers[:first]], binomial)

    def pair(self, first: bytes, second: bytes) -> bytes:
        """Reduce what two ranks brought."""
        return combine(self._op, self._type, [first, second])

    def compare(self, call: Collective, first: int, second: int) -> None:
        """Check that two ranks brought the same number of items of one type.

        :raises MPIError: they did not.
        """
        one, other = call.payloads[first], call.payloads[second]
        if one[0] is not other[0] and not is_alike(one[0], other[0]):
            raise TypeMismatchError(
                f"{self._call}: rank {first} reduces {one[0]!r} and rank {second} {other[0]!r}: all ranks reduce one "
                "datatype"
            )
        if len(one[1]) != len(other[1]):
            raise CountMismatchError(
                f"{self._call}: ranks reduce buffers of different sizes: rank {first} {_items(one)} and rank {second} "
                f"{_items(other)}"
            )

    def put(self, result: bytes) -> None:
        """Write the result into this rank's buffer for it."""
        assert self._target is not None
        self._target.put(result, f"the result of {self._call}")


def _items(brought: tuple[Datatype, bytes]) -> str:
    return f"{len(brought[1])} bytes"


def agree(call: str, source: Buffer, target: Buffer, items: int | None = None) -> None:
    """Check that the two buffers of a rank have the same datatype and size.

    :param items: how many items the source must have, if not as many as the target.
    :raises ValueError: it is not.
    """
    if items is None and source.type is target.type and source.count == target.count:
        return
    if not is_same(source.type, target.type):
        raise ValueError(f"{call}: sendbuf is of {source.type!r} and recvbuf of {target.type!r}: give the same type")
    counts = [each.count for each in (source, target)]
    if items is not None and counts[0] != items:
        raise ValueError(f"{call}: sendbuf has {counts[0]} items and needs {items}, which is the sum of all counts")
    if items is None and counts[0] != counts[1]:
        raise ValueError(
            f"{call}: sendbuf has {counts[0]} items and recvbuf {counts[1]}: give buffers of one size, such as "
            f"recvbuf[:{counts[0]}]"
        )


class ReducingParts(Parts):
    """Makes the parts of one rank in reductions of buffers."""

    def _both(self, name: str, op: Any, sendbuf: Any, recvbuf: Any) -> Reduction:
        """The buffers of a rank that gives as much as it gets."""
        op = operation(op)
        if recvbuf is None:
            raise TypeError(f"{name}: the result needs a buffer, and recvbuf is None")
        target = Buffer(recvbuf, receives=True)
        if in_place(sendbuf):
            if self._side.other:
                self._may_be_in_place(name)
            return Reduction(name, op, target, target)
        source = Buffer(sendbuf)
        agree(name, source, target)
        not_shared(name, sendbuf, recvbuf)
        return Reduction(name, op, source, target)

    def _reduce(self, name: str, sendbuf: Any, recvbuf: Any, op: Any, root: Any) -> Part:
        role, op = self._role(name, root), operation(op)
        detail = op.detail
        if not role.is_root and not role.is_leaf:
            return self._idle(name, role, "gather", detail)
        if in_place(sendbuf) and not role.is_root:
            raise MPIError(f"{name}: only the root may give IN_PLACE", "ERR_BUFFER")
        if role.is_root and role.is_leaf:
            mine = self._both(name, op, sendbuf, recvbuf)
        else:
            buffer = Buffer(recvbuf, receives=True) if role.is_root else Buffer(sendbuf)
            mine = Reduction(name, op, None if role.is_root else buffer, buffer if role.is_root else None)
        leaves = role.leaves

        def take(call: Collective) -> None:
            mine.put(mine.to_root(call, leaves))

        bring, last = mine.bring if role.is_leaf else nothing, take if role.is_root else none
        if self._side.other:
            return mine.part_of(SpecialPart(name, bring, last, "gather", role.root, detail, sources=leaves))
        return mine.part_of(Part(name, bring, last, "gather", role.root, detail))

    def _once(self, mine: Reduction, order: ReductionOrder = by_neighbours) -> Callable[[Collective], bytes]:
        """The reduction of what all peers brought; it is computed once for all who get it."""
        peers, of_another = self._side.peers, self._side.other

        def result(call: Collective) -> bytes:
            if not of_another:
                if call.result is None:
                    call.result = mine.of(call, peers, order)
                reduced: bytes = call.result
                return reduced
            results: dict[int, bytes] = call.result or {}
            call.result = results
            if peers[0] not in results:
                results[peers[0]] = mine.of(call, peers, order)
            return results[peers[0]]

        return result

    def _allreduce(self, name: str, sendbuf: Any, recvbuf: Any, op: Any) -> Part:
        op = operation(op)
        mine = self._both(name, op, sendbuf, recvbuf)
        if self._side.other:
            result = self._once(mine)
            return mine.part_of(Part(name, mine.bring, lambda call: mine.put(result(call)), "all", None, op.detail))
        everybody = self._side.peers

        def take(call: Collective) -> None:
            # Once for all ranks, as `_once` does; here for the calls that are made most.
            if call.result is None:
                call.result = mine.of(call, everybody)
            mine.put(call.result)

        return mine.part_of(Part(name, mine.bring, take, "all", None, op.detail))

    def _reduce_scatter_block(self, name: str, sendbuf: Any, recvbuf: Any, op: Any) -> Part:
        op, size, rank = operation(op), self.size, self.rank
        target = Buffer(recvbuf, receives=True)
        if in_place(sendbuf):
            self._may_be_in_place(name)
            source = target
            share = len(Buffer(recvbuf, size)) // size
        else:
            source = Buffer(sendbuf)
            share = len(target)
            agree(name, source, target, size * (share // target.type.size))
            not_shared(name, sendbuf, recvbuf)
        mine = Reduction(name, op, source, target)
        result = self._once(mine, by_halves if op.commute else by_neighbours)

        def take(call: Collective) -> None:
            mine.put(result(call)[rank * share : (rank + 1) * share])

        return mine.part_of(Part(name, mine.bring, take, detail=op.detail))

    def _reduce_scatter(self, name: str, sendbuf: Any, recvbuf: Any, recvcounts: Any, op: Any) -> Part:
        op, side, rank = operation(op), self._side, self.rank
        target = Buffer(recvbuf, receives=True)
        item = target.type.size
        inside = in_place(sendbuf)
        source = target if inside else Buffer(sendbuf)
        if inside:
            self._may_be_in_place(name)
        else:
            not_shared(name, sendbuf, recvbuf)
        given: list[int] | None = None
        if recvcounts is not None or inside or side.other:
            given = [int(count) for count in recvcounts]
            if len(given) != self.size:
                raise ValueError(f"{name}: {len(given)} recvcounts for {self.size} ranks: name one for each rank")
            agree(name, source, source if inside else target, sum(given))
            if not inside and len(target) != given[rank] * item:
                raise ValueError(
                    f"{name}: recvbuf has {len(target) // item} items and recvcounts says {given[rank]} for rank {rank}"
                )
        mine = Reduction(name, op, source, target)
        result = self._once(mine, by_halves if op.commute else by_neighbours)
        own = len(target) // item

        def bring() -> tuple[Any, int]:
            brought, size = mine.bring()
            return (*brought, own if given is None else given), size

        def take(call: Collective) -> None:
            counts = given
            if counts is None:
                counts = [call.payloads[index][2] for index in side.own]
                agree(name, source, target, sum(counts))
            else:
                for other, index in enumerate(side.own):
                    if call.payloads[index][2] != counts:
                        raise CountMismatchError(
                            f"{name}: rank {rank} gives recvcounts={counts}, and rank {other} "
                            f"{call.payloads[index][2]}: all ranks give the same"
                        )
            start = sum(counts[:rank]) * item
            mine.put(result(call)[start : start + counts[rank] * item])

        return mine.part_of(Part(name, bring, take, detail=op.detail))

    def _scan(self, name: str, sendbuf: Any, recvbuf: Any, op: Any, itself: bool) -> Part:
        """The part in a scan; `itself`: whether what this rank brings counts for it, too."""
        op, rank = operation(op), self.rank
        mine = self._both(name, op, sendbuf, recvbuf)

        def take(call: Collective) -> None:
            call.result = call.result or {}
            if rank:
                # Each with the one below it: so all are compared, in the end.
                mine.compare(call, rank - 1, rank)
            result = prefix(rank, itself, lambda number: call.payloads[number][1], mine.pair, call.result)
            if result is not None:
                mine.put(result)

        return mine.part_of(Part(name, mine.bring, take, "lower", None, op.detail))


def reduce_local(op: Operation, inbuf: Any, inoutbuf: Any) -> None:
    """Reduce two buffers of one rank, item by item, into the second.

    :raises ValueError: they differ in datatype or number of items.
    """
    target, source = Buffer(inoutbuf, receives=True), Buffer(inbuf)
    agree("Reduce_local", source, target)
    check("Reduce_local", op, source.type)
    target.put(combine(op, source.type, [source.read(), target.read()]), "the result of Reduce_local")
