"""Collective communication of buffers: the non-blocking methods. Each is as the blocking one of its name, and returns a
request, after whose wait the call has ended for this rank.

What each rank brings and takes is in `collective_parts` and `reduction_parts`; the requests are in `collective_forms`.
"""

from __future__ import annotations

from typing import Any

from .operations import OPS
from .reduction_parts import ReducingParts
from .requests import Request

SUM = OPS["SUM"]


class NonblockingCollectives(ReducingParts):
    """The non-blocking collective calls that every communicator has."""

    def Ibarrier(self) -> Request:
        """Begin a `Barrier`."""
        return self._begin(self._barrier("Ibarrier"))

    def Ibcast(self, buf: Any, root: int = 0) -> Request:
        """Begin a `Bcast`."""
        return self._begin(self._bcast("Ibcast", buf, root))

    def Iscatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin a `Scatter`."""
        return self._begin(self._scatter("Iscatter", sendbuf, recvbuf, root, ""))

    def Iscatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin a `Scatterv`."""
        return self._begin(self._scatter("Iscatterv", sendbuf, recvbuf, root, "v"))

    def Igather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin a `Gather`."""
        return self._begin(self._gather("Igather", sendbuf, recvbuf, root, ""))

    def Igatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin a `Gatherv`."""
        return self._begin(self._gather("Igatherv", sendbuf, recvbuf, root, "v"))

    def Iallgather(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Allgather`."""
        return self._begin(self._allgather("Iallgather", sendbuf, recvbuf, ""))

    def Iallgatherv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Allgatherv`."""
        return self._begin(self._allgather("Iallgatherv", sendbuf, recvbuf, "v"))

    def Ialltoall(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Alltoall`."""
        return self._begin(self._alltoall("Ialltoall", sendbuf, recvbuf, ""))

    def Ialltoallv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Alltoallv`."""
        return self._begin(self._alltoall("Ialltoallv", sendbuf, recvbuf, "v"))

    def Ialltoallw(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin a `Alltoallw`."""
        return self._begin(self._alltoall("Ialltoallw", sendbuf, recvbuf, "w"))

    def Ireduce(self, sendbuf: Any, recvbuf: Any, op: Any = SUM, root: int = 0) -> Request:
        """Begin a `Reduce`."""
        return self._begin(self._reduce("Ireduce", sendbuf, recvbuf, op, root))

    def Iallreduce(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> Request:
        """Begin a `Allreduce`."""
        return self._begin(self._allreduce("Iallreduce", sendbuf, recvbuf, op))

    def Ireduce_scatter_block(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> Request:
        """Begin a `Reduce_scatter_block`."""
        return self._begin(self._reduce_scatter_block("Ireduce_scatter_block", sendbuf, recvbuf, op))

    def Ireduce_scatter(self, sendbuf: Any, recvbuf: Any, recvcounts: Any = None, op: Any = SUM) -> Request:
        """Begin a `Reduce_scatter`."""
        return self._begin(self._reduce_scatter("Ireduce_scatter", sendbuf, recvbuf, recvcounts, op))


class NonblockingScans(ReducingParts):
    """The non-blocking scans, which communicators of one group have."""

    def Iscan(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> Request:
        """Begin a `Scan`."""
        return self._begin(self._scan("Iscan", sendbuf, recvbuf, op, True))

    def Iexscan(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> Request:
        """Begin a `Exscan`."""
        return self._begin(self._scan("Iexscan", sendbuf, recvbuf, op, False))
