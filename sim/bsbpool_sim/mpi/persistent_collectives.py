"""Collective communication of buffers: the persistent methods. Each is as the blocking one of its name, and returns a
request, each of whose starts is such a call. `info` has no effect.

What each rank brings and takes is in `collective_parts` and `reduction_parts`; the requests are in `collective_forms`.
"""

from __future__ import annotations

from typing import Any

from .info import INFO_NULL
from .operations import OPS
from .reduction_parts import ReducingParts
from .requests import Request

SUM = OPS["SUM"]


class PersistentCollectives(ReducingParts):
    """The persistent collective calls that every communicator has."""

    def Barrier_init(self, info: Any = INFO_NULL) -> Request:
        """Make a `Barrier` that can be started again and again."""
        return self._plan(self._barrier("Barrier_init"), info)

    def Bcast_init(self, buf: Any, root: int = 0, info: Any = INFO_NULL) -> Request:
        """Make a `Bcast` that can be started again and again."""
        return self._plan(self._bcast("Bcast_init", buf, root), info)

    def Scatter_init(self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Any = INFO_NULL) -> Request:
        """Make a `Scatter` that can be started again and again."""
        return self._plan(self._scatter("Scatter_init", sendbuf, recvbuf, root, ""), info)

    def Scatterv_init(self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Any = INFO_NULL) -> Request:
        """Make a `Scatterv` that can be started again and again."""
        return self._plan(self._scatter("Scatterv_init", sendbuf, recvbuf, root, "v"), info)

    def Gather_init(self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Any = INFO_NULL) -> Request:
        """Make a `Gather` that can be started again and again."""
        return self._plan(self._gather("Gather_init", sendbuf, recvbuf, root, ""), info)

    def Gatherv_init(self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Any = INFO_NULL) -> Request:
        """Make a `Gatherv` that can be started again and again."""
        return self._plan(self._gather("Gatherv_init", sendbuf, recvbuf, root, "v"), info)

    def Allgather_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Allgather` that can be started again and again."""
        return self._plan(self._allgather("Allgather_init", sendbuf, recvbuf, ""), info)

    def Allgatherv_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Allgatherv` that can be started again and again."""
        return self._plan(self._allgather("Allgatherv_init", sendbuf, recvbuf, "v"), info)

    def Alltoall_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Alltoall` that can be started again and again."""
        return self._plan(self._alltoall("Alltoall_init", sendbuf, recvbuf, ""), info)

    def Alltoallv_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Alltoallv` that can be started again and again."""
        return self._plan(self._alltoall("Alltoallv_init", sendbuf, recvbuf, "v"), info)

    def Alltoallw_init(self, sendbuf: Any, recvbuf: Any, info: Any = INFO_NULL) -> Request:
        """Make a `Alltoallw` that can be started again and again."""
        return self._plan(self._alltoall("Alltoallw_init", sendbuf, recvbuf, "w"), info)

    def Reduce_init(self, sendbuf: Any, recvbuf: Any, op: Any = SUM, root: int = 0, info: Any = INFO_NULL) -> Request:
        """Make a `Reduce` that can be started again and again."""
        return self._plan(self._reduce("Reduce_init", sendbuf, recvbuf, op, root), info)

    def Allreduce_init(self, sendbuf: Any, recvbuf: Any, op: Any = SUM, info: Any = INFO_NULL) -> Request:
        """Make a `Allreduce` that can be started again and again."""
        return self._plan(self._allreduce("Allreduce_init", sendbuf, recvbuf, op), info)

    def Reduce_scatter_block_init(self, sendbuf: Any, recvbuf: Any, op: Any = SUM, info: Any = INFO_NULL) -> Request:
        """Make a `Reduce_scatter_block` that can be started again and again."""
        return self._plan(self._reduce_scatter_block("Reduce_scatter_block_init", sendbuf, recvbuf, op), info)

    def Reduce_scatter_init(
        self, sendbuf: Any, recvbuf: Any, recvcounts: Any = None, op: Any = SUM, info: Any = INFO_NULL
    ) -> Request:
        """Make a `Reduce_scatter` that can be started again and again."""
        return self._plan(self._reduce_scatter("Reduce_scatter_init", sendbuf, recvbuf, recvcounts, op), info)


class PersistentScans(ReducingParts):
    """The persistent scans, which communicators of one group have."""

    def Scan_init(self, sendbuf: Any, recvbuf: Any, op: Any = SUM, info: Any = INFO_NULL) -> Request:
        """Make a `Scan` that can be started again and again."""
        return self._plan(self._scan("Scan_init", sendbuf, recvbuf, op, True), info)

    def Exscan_init(self, sendbuf: Any, recvbuf: Any, op: Any = SUM, info: Any = INFO_NULL) -> Request:
        """Make a `Exscan` that can be started again and again."""
        return self._plan(self._scan("Exscan_init", sendbuf, recvbuf, op, False), info)
