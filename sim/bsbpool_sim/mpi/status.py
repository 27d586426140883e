"""Statuses: what is known of a message that was received, or of a request that has ended."""

from __future__ import annotations

from typing import Any

from ..errors import MPIError
from .constants import ANY_SOURCE, ANY_TAG, UNDEFINED, Constant, real
from .datatypes import BYTE


class Status:
    """Where a message came from, its tag, and its size in bytes."""

    def __init__(self, status: Status | None = None):
        self.source: int = ANY_SOURCE if status is None else status.source
        self.tag: int = ANY_TAG if status is None else status.tag
        self.count: int = 0 if status is None else status.count
        self.cancelled = False
        self.error = 0

    def Get_source(self) -> int:
        return self.source

    def Get_tag(self) -> int:
        return self.tag

    def Get_error(self) -> int:
        return self.error

    def Get_count(self, datatype: Any = BYTE) -> int:
        """Items of `datatype` in the message; UNDEFINED if it holds no whole number of them."""
        size: int = datatype.Get_size()
        return UNDEFINED if self.count % size else self.count // size

    Get_elements = Get_count

    def Is_cancelled(self) -> bool:
        return self.cancelled

    def Set_source(self, source: int) -> None:
        self.source = source

    def Set_tag(self, tag: int) -> None:
        self.tag = tag

    def Set_elements(self, datatype: Any, count: int) -> None:
        self.count = count * datatype.Get_size()

    def Set_cancelled(self, flag: bool) -> None:
        self.cancelled = flag


def fill(status: Any, source: int, tag: int, size: int, cancelled: bool = False) -> None:
    """Write into `status`, ours or the real mpi4py's or None, what is known of a message."""
    if status is None:
        return
    if isinstance(status, Status):
        status.source, status.tag, status.count, status.cancelled = source, tag, size, cancelled
        return
    if not hasattr(status, "Set_elements"):
        raise MPIError(f"a status must be an MPI.Status, not {status!r}")
    if isinstance(source, Constant):
        source, tag = real(source.name), real("ANY_TAG")
    status.Set_source(source)
    status.Set_tag(tag)
    status.Set_elements(real("BYTE"), size)
    status.Set_cancelled(cancelled)
