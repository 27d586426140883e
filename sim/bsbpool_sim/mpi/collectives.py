"""Collective communication of buffers: the blocking methods.

What each rank brings and takes is in `collective_parts` and `reduction_parts`; who waits for whom, in
`collective_call`; objects are in `object_collectives`.
"""

from __future__ import annotations

from typing import Any

from .operations import OPS
from .reduction_parts import ReducingParts

SUM = OPS["SUM"]


class Collectives(ReducingParts):
    """The collective calls of buffers that every communicator has."""

    def Barrier(self) -> None:
        """Wait until every rank is here."""
        self._now(self._barrier("Barrier"))

    def Bcast(self, buf: Any, root: int = 0) -> None:
        """The root's buffer, written into every rank's.

        :param buf: the buffer to give, on the root; where it goes, elsewhere.
        :param root: the rank that the call is about, the same on all ranks.
        """
        self._now(self._bcast("Bcast", buf, root))

    def Scatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """The n-th block of the root's buffer, written into rank n's.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        :param root: the rank that the call is about, the same on all ranks.
        """
        self._now(self._scatter("Scatter", sendbuf, recvbuf, root, ""))

    def Scatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """`Scatter` with blocks of different sizes.

        :param sendbuf: ``[array, counts, offsets, TYPE]``, with a count and an offset in items for each rank.
        :param recvbuf: where this rank gets what is for it.
        :param root: the rank that the call is about, the same on all ranks.
        """
        self._now(self._scatter("Scatterv", sendbuf, recvbuf, root, "v"))

    def Gather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Every rank's buffer, written into the blocks of the root's.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        :param root: the rank that the call is about, the same on all ranks.
        """
        self._now(self._gather("Gather", sendbuf, recvbuf, root, ""))

    def Gatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """`Gather` with blocks of different sizes.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: ``[array, counts, offsets, TYPE]``, with a count and an offset in items for each rank.
        :param root: the rank that the call is about, the same on all ranks.
        """
        self._now(self._gather("Gatherv", sendbuf, recvbuf, root, "v"))

    def Allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Every rank's buffer, written into the blocks of every rank's.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        """
        self._now(self._allgather("Allgather", sendbuf, recvbuf, ""))

    def Allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """`Allgather` with blocks of different sizes.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: ``[array, counts, offsets, TYPE]``, with a count and an offset in items for each rank.
        """
        self._now(self._allgather("Allgatherv", sendbuf, recvbuf, "v"))

    def Alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Block n of every rank's `sendbuf` goes to rank n, into the block of the rank it came from.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        """
        self._now(self._alltoall("Alltoall", sendbuf, recvbuf, ""))

    def Alltoallv(self, sendbuf: Any, recvbuf: Any) -> None:
        """`Alltoall` with blocks of different sizes.

        :param sendbuf: ``[array, counts, offsets, TYPE]``, with a count and an offset in items for each rank.
        :param recvbuf: ``[array, counts, offsets, TYPE]``, with a count and an offset in items for each rank.
        """
        self._now(self._alltoall("Alltoallv", sendbuf, recvbuf, "v"))

    def Alltoallw(self, sendbuf: Any, recvbuf: Any) -> None:
        """`Alltoall` with blocks of different sizes and datatypes.

        :param sendbuf: ``[array, counts, offsets, TYPES]``, with a count, an offset in bytes and a datatype for each
            rank.
        :param recvbuf: ``[array, counts, offsets, TYPES]``, with a count, an offset in bytes and a datatype for each
            rank.
        """
        self._now(self._alltoall("Alltoallw", sendbuf, recvbuf, "w"))

    def Reduce(self, sendbuf: Any, recvbuf: Any, op: Any = SUM, root: int = 0) -> None:
        """Every rank's buffer, reduced item by item with `op`, written into the root's `recvbuf`.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        :param op: the operation: one of MPI's, or one of `Op.Create`.
        :param root: the rank that the call is about, the same on all ranks.
        """
        self._now(self._reduce("Reduce", sendbuf, recvbuf, op, root))

    def Allreduce(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """Every rank's buffer, reduced item by item with `op`, written into every rank's `recvbuf`.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        :param op: the operation: one of MPI's, or one of `Op.Create`.
        """
        self._now(self._allreduce("Allreduce", sendbuf, recvbuf, op))

    def Reduce_scatter_block(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """Every rank's buffer, reduced item by item with `op`; rank n gets the n-th block of the result.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        :param op: the operation: one of MPI's, or one of `Op.Create`.
        """
        self._now(self._reduce_scatter_block("Reduce_scatter_block", sendbuf, recvbuf, op))

    def Reduce_scatter(self, sendbuf: Any, recvbuf: Any, recvcounts: Any = None, op: Any = SUM) -> None:
        """`Reduce_scatter_block` with blocks of different sizes.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        :param recvcounts: how many items each rank gets; None: as many as its `recvbuf` has.
        :param op: the operation: one of MPI's, or one of `Op.Create`.
        """
        self._now(self._reduce_scatter("Reduce_scatter", sendbuf, recvbuf, recvcounts, op))


class Scans(ReducingParts):
    """The scans of buffers, which communicators of one group have."""

    def Scan(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """The buffers of the ranks up to this one, reduced item by item with `op`, written into `recvbuf`.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        :param op: the operation: one of MPI's, or one of `Op.Create`.
        """
        self._now(self._scan("Scan", sendbuf, recvbuf, op, True))

    def Exscan(self, sendbuf: Any, recvbuf: Any, op: Any = SUM) -> None:
        """The buffers of the ranks below this one, reduced with `op`; rank 0's `recvbuf` stays as it is.

        :param sendbuf: what this rank gives; MPI.IN_PLACE where it is in `recvbuf` already.
        :param recvbuf: where this rank gets what is for it.
        :param op: the operation: one of MPI's, or one of `Op.Create`.
        """
        self._now(self._scan("Exscan", sendbuf, recvbuf, op, False))
