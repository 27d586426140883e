"""Collective communication.

Who waits for whom is kept in `contexts`; how buffers are reduced, in `reductions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bsbpool.values import shown

from ..errors import MPIError
from .buffers import Buffer, in_place
from .contexts import Collective
from .endpoint import Endpoint
from .operations import OPS, Op, operation
from .reductions import Reduction
from .requests import Request, load

SUM = OPS["SUM"]


class Collectives(Endpoint):
    """The collective calls of a communicator."""

    def _together(
        self,
        name: str,
        payload: Any = None,
        size: int = 0,
        *,
        root: int | None = None,
        waits: str = "all",
        detail: str = "",
    ) -> Collective:
        call = self.context.enter(self.rank, name, root, payload, size, waits, detail)
        call.wait(self.rank)
        self.context.leave(call)
        return call

    def _root(self, root: int, name: str) -> bool:
        if not isinstance(root, int) or not 0 <= root < self.size:
            raise MPIError(f"{name}(root={root!r}): the root must be one of the ranks 0 to {self.size - 1}")
        return root == self.rank

    def _in_order(self, call: Collective) -> list[Any]:
        return [call.payloads[r] for r in range(self.size)]

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self._together("barrier")

    def Barrier(self) -> None:
        """Wait until every rank is here."""
        self._together("Barrier")

    def Ibarrier(self) -> Request:
        """Say that this rank is here; the request completes when every rank is."""
        call = self.context.enter(self.rank, "Ibarrier", None, None, 0, "all", "")
        request = call.request(self.rank)
        self.context.leave(call)
        return request

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """The root's object, on every rank."""
        data = self._dumps(obj) if self._root(root, "bcast") else b""
        call = self._together("bcast", data, len(data), root=root, waits="root")
        return obj if self.rank == root else load(call.payloads[root])

    def scatter(self, sendobj: Sequence[Any] | None, root: int = 0) -> Any:
        """The root's n-th item, on rank n.

        :raises ValueError: the root has not one item for each rank.
        """
        parts = self._parts(sendobj, "scatter") if self._root(root, "scatter") else []
        call = self._together("scatter", parts, sum(map(len, parts)), root=root, waits="root")
        return load(call.payloads[root][self.rank])

    def _parts(self, objects: Any, name: str) -> list[bytes]:
        items = list(objects) if hasattr(objects, "__iter__") else None
        if items is None or len(items) != self.size:
            got = f"{type(objects).__name__} {shown(objects)}" if items is None else f"{len(items)}"
            raise ValueError(f"{name} needs {self.size} items, one for each rank, not {got}")
        return [self._dumps(item) for item in items]

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        """Every rank's object in a list, on the root; None elsewhere."""
        is_root, data = self._root(root, "gather"), self._dumps(sendobj)
        call = self._together("gather", data, len(data), root=root, waits="gather")
        return [load(d) for d in self._in_order(call)] if is_root else None

    def allgather(self, sendobj: Any) -> list[Any]:
        """Every rank's object in a list, on every rank."""
        data = self._dumps(sendobj)
        call = self._together("allgather", data, len(data))
        return [load(d) for d in self._in_order(call)]

    def alltoall(self, sendobj: Sequence[Any]) -> list[Any]:
        """What each rank had as the item with this rank's number.

        :raises ValueError: there is not one item for each rank.
        """
        parts = self._parts(sendobj, "alltoall")
        call = self._together("alltoall", parts, sum(map(len, parts)))
        return [load(parts[self.rank]) for parts in self._in_order(call)]

    def reduce(self, sendobj: Any, op: Any = SUM, root: int = 0) -> Any:
        """Every rank's object, reduced with `op`, on the root; None elsewhere."""
        is_root, op, data = self._root(root, "reduce"), operation(op), self._dumps(sendobj)
        call = self._together("reduce", data, len(data), root=root, waits="gather", detail=_with(op))
        return _fold(op, [load(d) for d in self._in_order(call)]) if is_root else None

    def allreduce(self, sendobj: Any, op: Any = SUM) -> Any:
        """Every rank's object, reduced with `op`, on every rank."""
        op, data = operation(op), self._dumps(sendobj)
        call = self._together("allreduce", data, len(data), detail=_with(op))
        if call.result is None:
            call.result = self._dumps(_fold(op, [load(d) for d in self._in_order(call)]))
        return load(call.result)

    def scan(self, sendobj: Any, op: Any = SUM) -> Any:
        """The objects of the ranks up to this one, reduced with `op`."""
        return load(self._scan("scan", sendobj, op)[self.rank])

    def exscan(self, sendobj: Any, op: Any = SUM) -> Any:
        """The objects of the ranks below this one, reduced with `op`; None on rank 0."""
        parts = self._scan("exscan", sendobj, op)
        return load(parts[self.rank - 1]) if self.rank else None

    def _scan(self, name: str, sendobj: Any, op: Any) -> list[bytes]:
        op, data = operation(op), self._dumps(sendobj)
        call = self._together(name, data, len(data), waits="lower", detail=_with(op))
        parts: list[bytes] = call.result if call.result is not None else [call.payloads[0]]
        call.result = parts
        while len(parts) <= self.rank:
            parts.append(self._dumps(op(load(parts[-1]), load(call.payloads[len(parts)]))))
        return parts

    # -- collectives of buffers --------------------------------------------------------------------

    def Bcast(self, buf: Any, root: int = 0) -> None:
        """The root's buffer, written into every rank's."""
        buffer = Buffer(buf)
        data = bytes(buffer.bytes) if self._root(root, "Bcast") else b""
        call = self._together("Bcast", data, len(data), root=root, waits="root")
        if self.rank != root:
            buffer.put(call.payloads[root], f"what rank {root} broadcasts")

    def Scatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """The n-th block of the root's buffer, written into rank n's."""
        self._scatter("Scatter", sendbuf, recvbuf, root)

    def Scatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """`Scatter` with blocks of different sizes: ``[array, counts, offsets, TYPE]`` on the root."""
        self._scatter("Scatterv", sendbuf, recvbuf, root)

    def _scatter(self, name: str, sendbuf: Any, recvbuf: Any, root: int) -> None:
        parts = self._blocks(sendbuf, name == "Scatterv") if self._root(root, name) else []
        call = self._together(name, parts, sum(map(len, parts)), root=root, waits="root")
        if not in_place(recvbuf):
            Buffer(recvbuf).put(call.payloads[root][self.rank], f"what rank {root} scatters")

    def _blocks(self, buf: Any, vector: bool = False) -> list[bytes]:
        buffer = Buffer(buf, self.size, vector)
        return [bytes(buffer.bytes[buffer.block(r)]) for r in range(self.size)]

    def Gather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Every rank's buffer, written into the blocks of the root's."""
        self._gather("Gather", sendbuf, recvbuf, root)

    def Gatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """`Gather` with blocks of different sizes: ``[array, counts, offsets, TYPE]`` on the root."""
        self._gather("Gatherv", sendbuf, recvbuf, root)

    def Allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Every rank's buffer, written into the blocks of every rank's."""
        self._gather("Allgather", sendbuf, recvbuf, None)

    def Allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """`Allgather` with blocks of different sizes: ``[array, counts, offsets, TYPE]``."""
        self._gather("Allgatherv", sendbuf, recvbuf, None)

    def _gather(self, name: str, sendbuf: Any, recvbuf: Any, root: int | None) -> None:
        receives = root is None or self._root(root, name)
        target = Buffer(recvbuf, self.size, name.endswith("v")) if receives else None
        if in_place(sendbuf):
            if target is None:
                raise MPIError(f"{name}: only the root may give IN_PLACE")
            data = bytes(target.bytes[target.block(self.rank)])
        else:
            data = bytes(Buffer(sendbuf).bytes)
        call = self._together(name, data, len(data), root=root, waits="all" if root is None else "gather")
        if target is not None:
            for r, part in enumerate(self._in_order(call)):
                target.fill(r, part, f"what rank {r} gives to {name}")

    def Alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Block n of every rank's `sendbuf` goes to rank n, into the block of the rank it came from."""
        target = Buffer(recvbuf, self.size)
        parts = self._blocks(recvbuf if in_place(sendbuf) else sendbuf)
        call = self._together("Alltoall", parts, sum(map(len, parts)))
        for r, theirs in enumerate(self._in_order(call)):
            target.fill(r, theirs[self.rank], f"what rank {r} gives to Alltoall")

    def Reduce(self, sendbuf: Any, recvbuf: Any, op: Any = SUM, root: int = 0) -> None:
        """Every rank's buffer, reduced item by item with `op`, written into the root's `recvbuf`."""
        op, is_root = operation(op), self._root(root, "Reduce")
        if in_place(sendbuf) and not is_root:
            raise MPIError("Reduce: only the root may give IN_PLACE")
        mine = Reduction("Reduce", op, sendbuf, recvbuf, is_root)
        call = self._together("Reduce", mine.part, mine.size, root=root, waits="gather", detail=_with(op))
        if is_root:
            mine.put(mine.of(self._in_order(call)))

    def Allreduce(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """Every rank's buffer, reduced item by item with `op`, written into every rank's `recvbuf`."""
        op = operation(op)
        mine = Reduction("Allreduce", op, sendbuf, recvbuf)
        call = self._together("Allreduce", mine.part, mine.size, detail=_with(op))
        if call.result is None:
            call.result = mine.of(self._in_order(call))
        mine.put(call.result)

    def Scan(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """The buffers of the ranks up to this one, reduced item by item with `op`, written into `recvbuf`."""
        self._scan_buffers("Scan", sendbuf, recvbuf, op, self.rank + 1)

    def Exscan(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """The buffers of the ranks below this one, reduced with `op`; rank 0's `recvbuf` stays as it is."""
        self._scan_buffers("Exscan", sendbuf, recvbuf, op, self.rank)

    def _scan_buffers(self, name: str, sendbuf: Any, recvbuf: Any, op: Any, count: int) -> None:
        op = operation(op)
        mine = Reduction(name, op, sendbuf, recvbuf)
        call = self._together(name, mine.part, mine.size, waits="lower", detail=_with(op))
        if count:
            mine.put(mine.of([call.payloads[r] for r in range(count)]))


def _with(op: Op) -> str:
    return f"op={op.name}"


def _fold(op: Callable[[Any, Any], Any], values: list[Any]) -> Any:
    """Reduce along the binomial tree that mpi4py uses, so that floats round as they do there."""
    step = 1
    while step < len(values):
        for i in range(0, len(values) - step, 2 * step):
            values[i] = op(values[i], values[i + step])
        step *= 2
    return values[0]
