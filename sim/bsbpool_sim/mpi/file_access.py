"""Access to files: reading and writing at explicit offsets, at individual file pointers and at the shared one.

How data moves is in `file_handles`; opening files, views and positions are in `files`.
"""

from __future__ import annotations

from typing import Any

from .buffers import Buffer
from .constants import ANY_SOURCE, ANY_TAG
from .file_handles import FileHandle, Transferred, TransferredTogether, finish
from .integer_arguments import LONG, integer
from .requests import Request
from .status import fill


class FileAccess(FileHandle):
    """The accesses of a file.

    A buffer is what `Comm.Send` takes, and an offset counts etypes of the view. `status.Get_count` tells how much there
    was: fewer items than the buffer has where the file ends.
    """

    def _has(self, request: Request, buf: Any, reads: bool) -> Request:
        """A request for an access of the file has this buffer until it ends."""
        buffers = request._kernel.cluster.buffers
        if buffers is not None:
            buffers.begins(request, ((Buffer(buf, receives=reads), reads),))
        return request

    # -- at explicit offsets -----------------------------------------------------------------------

    def Read_at(self, offset: int, buf: Any, status: Any = None) -> None:
        """Read into a buffer at an offset."""
        _tell(status, *self._read("Read_at", buf, _at(offset)))

    def Read_at_all(self, offset: int, buf: Any, status: Any = None) -> None:
        """Read into a buffer at an offset. All ranks call it."""
        finish(self._read_all("Read_at_all", buf, _at(offset)), status)

    def Iread_at(self, offset: int, buf: Any) -> Request:
        """Begin `Read_at`; the request is complete at once."""
        return self._has(Transferred(*self._read("Iread_at", buf, _at(offset))), buf, True)

    def Iread_at_all(self, offset: int, buf: Any) -> Request:
        """Begin `Read_at_all`; the request completes when all ranks have."""
        return TransferredTogether(*self._read_all("Iread_at_all", buf, _at(offset)))

    def Read_at_all_begin(self, offset: int, buf: Any) -> None:
        """Begin `Read_at_all`, which `Read_at_all_end` ends. All ranks call it."""
        self._split("Read_at_all", self._read_all("Read_at_all_begin", buf, _at(offset)))

    def Read_at_all_end(self, buf: Any, status: Any = None) -> None:
        """Wait until all ranks have begun `Read_at_all`."""
        self._end("Read_at_all", status, Buffer(buf, receives=True))

    def Write_at(self, offset: int, buf: Any, status: Any = None) -> None:
        """Write a buffer at an offset."""
        _tell(status, *self._write("Write_at", buf, _at(offset)))

    def Write_at_all(self, offset: int, buf: Any, status: Any = None) -> None:
        """Write a buffer at an offset. All ranks call it."""
        finish(self._write_all("Write_at_all", buf, _at(offset)), status)

    def Iwrite_at(self, offset: int, buf: Any) -> Request:
        """Begin `Write_at`; the request is complete at once."""
        return self._has(Transferred(*self._write("Iwrite_at", buf, _at(offset))), buf, False)

    def Iwrite_at_all(self, offset: int, buf: Any) -> Request:
        """Begin `Write_at_all`; the request completes when all ranks have."""
        return TransferredTogether(*self._write_all("Iwrite_at_all", buf, _at(offset)))

    def Write_at_all_begin(self, offset: int, buf: Any) -> None:
        """Begin `Write_at_all`, which `Write_at_all_end` ends. All ranks call it."""
        self._split("Write_at_all", self._write_all("Write_at_all_begin", buf, _at(offset)))

    def Write_at_all_end(self, buf: Any, status: Any = None) -> None:
        """Wait until all ranks have begun `Write_at_all`."""
        self._end("Write_at_all", status, Buffer(buf))

    # -- at the individual file pointer ------------------------------------------------------------

    def Read(self, buf: Any, status: Any = None) -> None:
        """Read into a buffer at this rank's file pointer, and advance that."""
        _tell(status, *self._read("Read", buf))

    def Read_all(self, buf: Any, status: Any = None) -> None:
        """Read into a buffer at this rank's file pointer, and advance that. All ranks call it."""
        finish(self._read_all("Read_all", buf), status)

    def Iread(self, buf: Any) -> Request:
        """Begin `Read`; the request is complete at once."""
        return self._has(Transferred(*self._read("Iread", buf, whole=True)), buf, True)

    def Iread_all(self, buf: Any) -> Request:
        """Begin `Read_all`; the request completes when all ranks have."""
        return TransferredTogether(*self._read_all("Iread_all", buf, whole=True))

    def Read_all_begin(self, buf: Any) -> None:
        """Begin `Read_all`, which `Read_all_end` ends. All ranks call it."""
        self._split("Read_all", self._read_all("Read_all_begin", buf))

    def Read_all_end(self, buf: Any, status: Any = None) -> None:
        """Wait until all ranks have begun `Read_all`."""
        self._end("Read_all", status, Buffer(buf, receives=True))

    def Write(self, buf: Any, status: Any = None) -> None:
        """Write a buffer at this rank's file pointer, and advance that."""
        _tell(status, *self._write("Write", buf))

    def Write_all(self, buf: Any, status: Any = None) -> None:
        """Write a buffer at this rank's file pointer, and advance that. All ranks call it."""
        finish(self._write_all("Write_all", buf), status)

    def Iwrite(self, buf: Any) -> Request:
        """Begin `Write`; the request is complete at once."""
        return self._has(Transferred(*self._write("Iwrite", buf)), buf, False)

    def Iwrite_all(self, buf: Any) -> Request:
        """Begin `Write_all`; the request completes when all ranks have."""
        return TransferredTogether(*self._write_all("Iwrite_all", buf))

    def Write_all_begin(self, buf: Any) -> None:
        """Begin `Write_all`, which `Write_all_end` ends. All ranks call it."""
        self._split("Write_all", self._write_all("Write_all_begin", buf))

    def Write_all_end(self, buf: Any, status: Any = None) -> None:
        """Wait until all ranks have begun `Write_all`."""
        self._end("Write_all", status, Buffer(buf))

    # -- at the shared file pointer ----------------------------------------------------------------

    def Read_shared(self, buf: Any, status: Any = None) -> None:
        """Read into a buffer at the shared file pointer, and advance that."""
        _tell(status, *self._read_shared("Read_shared", buf))

    def Iread_shared(self, buf: Any) -> Request:
        """Begin `Read_shared`; the request is complete at once."""
        return self._has(Transferred(*self._read_shared("Iread_shared", buf)), buf, True)

    def Read_ordered(self, buf: Any, status: Any = None) -> None:
        """Read into a buffer at the shared file pointer, one rank after the other. All ranks call it."""
        finish(self._read_all("Read_ordered", buf, ordered=True), status)

    def Read_ordered_begin(self, buf: Any) -> None:
        """Begin `Read_ordered`, which `Read_ordered_end` ends. All ranks call it."""
        self._split("Read_ordered", self._read_all("Read_ordered_begin", buf, ordered=True))

    def Read_ordered_end(self, buf: Any, status: Any = None) -> None:
        """Wait until all ranks have begun `Read_ordered`."""
        self._end("Read_ordered", status, Buffer(buf, receives=True))

    def Write_shared(self, buf: Any, status: Any = None) -> None:
        """Write a buffer at the shared file pointer, and advance that."""
        _tell(status, *self._write_shared("Write_shared", buf))

    def Iwrite_shared(self, buf: Any) -> Request:
        """Begin `Write_shared`; the request is complete at once."""
        return self._has(Transferred(*self._write_shared("Iwrite_shared", buf)), buf, False)

    def Write_ordered(self, buf: Any, status: Any = None) -> None:
        """Write a buffer at the shared file pointer, one rank after the other. All ranks call it."""
        finish(self._write_all("Write_ordered", buf, ordered=True), status)

    def Write_ordered_begin(self, buf: Any) -> None:
        """Begin `Write_ordered`, which `Write_ordered_end` ends. All ranks call it."""
        self._split("Write_ordered", self._write_all("Write_ordered_begin", buf, ordered=True))

    def Write_ordered_end(self, buf: Any, status: Any = None) -> None:
        """Wait until all ranks have begun `Write_ordered`."""
        self._end("Write_ordered", status, Buffer(buf))


def _tell(status: Any, _: object, size: int) -> None:
    fill(status, ANY_SOURCE, ANY_TAG, size)


def _at(offset: Any) -> int:
    """An offset that a program gives."""
    return integer(offset, "offset", bits=LONG)
