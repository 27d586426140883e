"""Collective communication among neighbours: what each rank of a communicator with a topology gives to the ranks beside
it and gets from them, in all forms of the call.

Who is beside whom belongs to `topologies`; who waits for whom, to `collective_call`.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import MPIError
from .blocks import Blocks, blocks, read_all
from .buffers import in_place
from .collective_call import Collective, Part, SpecialPart
from .info import INFO_NULL
from .object_collectives import ObjectCollectives
from .requests import Request, unpickled


class NeighbourParts(ObjectCollectives):
    """Makes the parts of one rank in calls among neighbours."""

    #: Whether edges come in pairs, one for each direction: what is sent by one comes by the other, as on a grid.
    _paired = False

    @property
    @abstractmethod
    def inedges(self) -> list[int]:
        """The ranks from which this rank gets something, in the order of the blocks; PROC_NULL: from nobody."""

    @property
    @abstractmethod
    def outedges(self) -> list[int]:
        """The ranks to which this rank gives something, in the order of the blocks; PROC_NULL: to nobody."""

    def _among(
        self, name: str, bring: Callable[[], tuple[Any, int]], take: Callable[[Collective], Any], sources: Sequence[int]
    ) -> SpecialPart:
        if text := getattr(self.member.topology, "one_sided", ""):
            raise MPIError(f"{name}: {text}: both of its ends have to name each edge", "ERR_TOPOLOGY")
        return SpecialPart(name, bring, take, "some", sources=[source for source in sources if source >= 0])

    def _of_neighbours(self, call: Collective, sources: Sequence[int]) -> Iterator[tuple[int, int, Any]]:
        """Of each edge that leads here from a rank: its number, the rank, and what came by it where each has its own.

        Of several edges from one rank, the n-th here is the n-th there; but on a grid what is sent to the left comes
        from the right, also if one rank is both.
        """
        seen: dict[int, int] = {}
        for edge, source in enumerate(sources):
            if source < 0:
                continue
            outedges, parts = call.payloads[source]
            if self._paired:
                yield edge, source, parts[edge ^ 1]
                continue
            place = -1
            for _ in range(seen.setdefault(source, 0) + 1):
                place = outedges.index(self.rank, place + 1)
            seen[source] += 1
            yield edge, source, parts[place]

    def _neighbor_allgather(self, name: str, sendbuf: Any, recvbuf: Any, kind: str) -> Part:
        sources = self.inedges
        _never_in_place(name, sendbuf)
        source, target = Blocks(sendbuf), blocks(recvbuf, len(sources), kind, True)
        giver = functools.partial(self._gives, name, sources)

        def bring() -> tuple[Any, int]:
            data = source.read()
            return data, len(data)

        def take(call: Collective) -> None:
            for edge, rank in enumerate(sources):
                if rank >= 0:
                    target.write(call.payloads[rank], giver, edge)

        return self._among(name, bring, take, sources).having(source, target)

    def _neighbor_alltoall(self, name: str, sendbuf: Any, recvbuf: Any, kind: str) -> Part:
        sources, destinations = self.inedges, self.outedges
        _never_in_place(name, sendbuf)
        source, target = blocks(sendbuf, len(destinations), kind), blocks(recvbuf, len(sources), kind, True)
        giver = functools.partial(self._gives, name, sources)

        def bring() -> tuple[Any, int]:
            parts, size = read_all(source, len(destinations))
            return (destinations, parts), size

        def take(call: Collective) -> None:
            for edge, _, data in self._of_neighbours(call, sources):
                target.write(data, giver, edge)

        return self._among(name, bring, take, sources).having(source, target)

    def _gives(self, name: str, sources: Sequence[int], edge: int) -> str:
        return self._side.gives(name, sources[edge])


def _never_in_place(name: str, sendbuf: Any) -> None:
    if sendbuf is not None and in_place(sendbuf):
        raise MPIError(f"{name}: among neighbours there is no IN_PLACE", "ERR_BUFFER")


class NeighbourCollectives(NeighbourParts):
    """The collective calls among neighbours."""

    def Neighbor_allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """This rank's buffer goes to each neighbour; theirs, into the blocks of `recvbuf`.

        :param sendbuf: what this rank gives.
        :param recvbuf: where this rank gets what is for it.
        """
        self._now(self._neighbor_allgather("Neighbor_allgather", sendbuf, recvbuf, ""))

    def Neighbor_allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """`Neighbor_allgather` with blocks of different sizes.

        :param sendbuf: what this rank gives.
        :param recvbuf: ``[array, counts, offsets, TYPE]``, with a count and an offset in items for each neighbour.
        """
        self._now(self._neighbor_allgather("Neighbor_allgatherv", sendbuf, recvbuf, "v"))

    def Neighbor_alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Block n of `sendbuf` goes to the n-th neighbour; theirs for this rank, into the blocks of `recvbuf`.

        :param sendbuf: what this rank gives.
        :param recvbuf: where this rank gets what is for it.
        """
        self._now(self._neighbor_alltoall("Neighbor_alltoall", sendbuf, recvbuf, ""))

    def Neighbor_alltoallv(self, sendbuf: Any, recvbuf: Any) -> None:
        """`Neighbor_alltoall` with blocks of different sizes.

        :param sendbuf: ``[array, counts, offsets, TYPE]``, with a count and an offset in items for each neighbour.
        :param recvbuf: ``[array, counts, offsets, TYPE]``, with a count and an offset in items for each neighbour.
        """
        self._now(self._neighbor_alltoall("Neighbor_alltoallv", sendbuf, recvbuf, "v"))

    def Neighbor_alltoallw(self, sendbuf: Any, recvbuf: Any) -> None:
        """`Neighbor_alltoall` with blocks of different sizes and datatypes.

        :param sendbuf: ``[array, counts, offsets, TYPES]``, with a count, an offset in bytes and a datatype for each
            neighbour.
        :param recvbuf: ``[array, counts, offsets, TYPES]``, with a count, an offset in bytes and a datatype for each
            neighbour.
        """
        self._now(self._neighbor_alltoall("Neighbor_alltoallw", sendbuf, recvbuf, "w"))

    def Ineighbor_allgather(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Neighbor_allgather`."""
        return self._begin(self._neighbor_allgather("Ineighbor_allgather", sendbuf, recvbuf, ""))

    def Ineighbor_allgatherv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Neighbor_allgatherv`."""
        return self._begin(self._neighbor_allgather("Ineighbor_allgatherv", sendbuf, recvbuf, "v"))

    def Ineighbor_alltoall(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Neighbor_alltoall`."""
        return self._begin(self._neighbor_alltoall("Ineighbor_alltoall", sendbuf, recvbuf, ""))

    def Ineighbor_alltoallv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Neighbor_alltoallv`."""
        return self._begin(self._neighbor_alltoall("Ineighbor_alltoallv", sendbuf, recvbuf, "v"))

    def Ineighbor_alltoallw(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Neighbor_alltoallw`."""
        return self._begin(self._neighbor_alltoall("Ineighbor_alltoallw", sendbuf, recvbuf, "w"))

    def Neighbor_allgather_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Neighbor_allgather` that can be started again and again."""
        return self._plan(self._neighbor_allgather("Neighbor_allgather_init", sendbuf, recvbuf, ""), info)

    def Neighbor_allgatherv_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Neighbor_allgatherv` that can be started again and again."""
        return self._plan(self._neighbor_allgather("Neighbor_allgatherv_init", sendbuf, recvbuf, "v"), info)

    def Neighbor_alltoall_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Neighbor_alltoall` that can be started again and again."""
        return self._plan(self._neighbor_alltoall("Neighbor_alltoall_init", sendbuf, recvbuf, ""), info)

    def Neighbor_alltoallv_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Neighbor_alltoallv` that can be started again and again."""
        return self._plan(self._neighbor_alltoall("Neighbor_alltoallv_init", sendbuf, recvbuf, "v"), info)

    def Neighbor_alltoallw_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Neighbor_alltoallw` that can be started again and again."""
        return self._plan(self._neighbor_alltoall("Neighbor_alltoallw_init", sendbuf, recvbuf, "w"), info)

    def neighbor_allgather(self, sendobj: Any) -> list[Any]:
        """The objects of the neighbours; None for an edge that leads nowhere.

        :param sendobj: this rank's object, for each neighbour.
        """
        data, sources = self._dumps(sendobj), self.inedges

        def take(call: Collective) -> list[Any]:
            return [unpickled(call.payloads[source]) if source >= 0 else None for source in sources]

        gathered: list[Any] = self._now(self._among("neighbor_allgather", lambda: (data, len(data)), take, sources))
        return gathered

    def neighbor_alltoall(self, sendobj: Sequence[Any]) -> list[Any]:
        """The objects that the neighbours have for this rank; None for an edge that leads nowhere.

        :param sendobj: an object for each neighbour.
        :raises ValueError: there is not one for each.
        """
        sources, destinations = self.inedges, self.outedges
        brought, size = self._bring_items(sendobj, "neighbor_alltoall", len(destinations))()

        def take(call: Collective) -> list[Any]:
            got: list[Any] = [None] * len(sources)
            for edge, _, data in self._of_neighbours(call, sources):
                got[edge] = unpickled(data)
            return got

        exchanged: list[Any] = self._now(
            self._among("neighbor_alltoall", lambda: ((destinations, brought), size), take, sources)
        )
        return exchanged
