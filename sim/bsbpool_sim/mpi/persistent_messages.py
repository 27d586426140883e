"""Persistent and partitioned point-to-point calls. The requests that they make are in `persistent_requests` and
`partitioned`.
"""

from __future__ import annotations

from typing import Any

from ..errors import MPIError
from .buffers import Buffer
from .constants import ANY_SOURCE, ANY_TAG, LARGEST_TAG
from .info import INFO_NULL, hints_of
from .integer_arguments import integer
from .partitioned import PartitionedReceive, PartitionedSend
from .persistent_requests import PersistentFromNobody, PersistentReceive, PersistentSend, Prequest
from .point_to_point import bad_tag
from .ready_sends import ReadySends


class PersistentPointToPoint(ReadySends):
    """The point-to-point calls of a communicator whose requests are started again and again."""

    def _sender(self, buf: Any, dest: int, tag: int, call: str) -> Prequest:
        tag = integer(tag, "tag")
        if not 0 <= tag <= LARGEST_TAG:
            raise bad_tag(tag, "sent", "0")
        return PersistentSend(self, self._given(buf, dest), dest, tag, call)

    def Send_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """Make a send that is started again and again."""
        return self._sender(buf, dest, tag, "Send_init")

    def Bsend_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """The same, by way of the buffer that is attached when it is started."""
        return self._sender(buf, dest, tag, "Bsend_init")

    def Ssend_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """The same; it is complete when its receiver takes the message."""
        return self._sender(buf, dest, tag, "Ssend_init")

    def Rsend_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """The same, for a receiver that waits already."""
        return self._sender(buf, dest, tag, "Rsend_init")

    def Recv_init(self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG) -> Prequest:
        """Make a receive that is started again and again."""
        wanted, wanted_tag, possible = self._match(source, tag)
        if not possible:
            return PersistentFromNobody(self.cluster.kernel)
        return PersistentReceive(self, wanted, wanted_tag, Buffer(buf, receives=True))

    def Psend_init(self, buf: Any, partitions: int, dest: int, tag: int = 0, info: Any = INFO_NULL) -> Prequest:
        """Make a send of so many partitions, each of as many items as the count in `buf` says."""
        to, partitions = self._peer(dest, "dest"), _several(partitions, "Psend_init")
        hints_of(info, "Psend_init")
        tag = integer(tag, "tag")
        if not 0 <= tag <= LARGEST_TAG:
            raise bad_tag(tag, "sent", "0")
        return PartitionedSend(self.member, None if to is None else Buffer(buf, partitions), partitions, to, tag)

    def Precv_init(
        self, buf: Any, partitions: int, source: int = ANY_SOURCE, tag: int = ANY_TAG, info: Any = INFO_NULL
    ) -> Prequest:
        """Make a receive of so many partitions, each of as many items as the count in `buf` says.

        :raises MPIError: it is from any rank, or with any tag.
        """
        partitions = _several(partitions, "Precv_init")
        hints_of(info, "Precv_init")
        wanted, wanted_tag, possible = self._match(source, tag)
        if not possible:
            return PersistentFromNobody(self.cluster.kernel)
        if wanted is None or wanted_tag is None:
            kind = "ERR_RANK" if wanted is None else "ERR_TAG"
            raise MPIError("Precv_init names one source and one tag: partitions don't come from any rank", kind)
        return PartitionedReceive(self.member, Buffer(buf, partitions, receives=True), partitions, wanted, wanted_tag)


def _several(partitions: Any, call: str) -> int:
    """How many partitions a program wants.

    :raises MPIError: none.
    """
    number = integer(partitions, "partitions")
    if number < 1:
        raise MPIError(f"{call}: partitions={number}: there is one at least", "ERR_ARG")
    return number
