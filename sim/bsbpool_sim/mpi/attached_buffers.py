"""Buffers that programs attach for buffered sends, and how much of each is in use.

A message occupies space until it has arrived. Sending it does not belong here.
"""

from __future__ import annotations

from typing import Any

from ..choices import ComesFirst
from ..errors import MPIError
from ..kernel import Happening, Kernel
from .arrays import bytes_of
from .buffers import Buffer
from .constants import BSEND_OVERHEAD, BUFFER_AUTOMATIC, means
from .requests import Request


class AttachedBuffer(Happening):
    """A buffer for buffered sends.

    :param given: what the program attached: memory, or BUFFER_AUTOMATIC, or None, which means the same.
    :raises BufferError: it is read-only.
    :raises MPIError: it has no room for any message.
    :ivar over: whether it was detached: until then its memory is MPI's.
    """

    persistent = False

    def __init__(self, kernel: Kernel, given: Any):
        self._kernel = kernel
        automatic = given is None or means(given, BUFFER_AUTOMATIC)
        self.given = BUFFER_AUTOMATIC if automatic else given
        self._size = None if automatic else len(bytes_of(given, receives=True))
        self._taken = 0
        self.over = False
        self._empty: list[Request] = []
        if self._size is not None and self._size < BSEND_OVERHEAD:
            raise MPIError(
                f"Attach_buffer: a buffer of {self._size} bytes has no room for a message: each takes "
                f"MPI.BSEND_OVERHEAD={BSEND_OVERHEAD} bytes besides its own",
                "ERR_BUFFER",
            )

    def happening(self, argument: Any) -> ComesFirst:
        """Return the alternative that stands for the event that a message leaves the buffer."""
        return ComesFirst(None, "a message leaves the buffer of a buffered send")

    def take(self, size: int) -> None:
        """Reserve room for a message of `size` bytes that is sent.

        :raises MPIError: there is no room for it.
        """
        needed = size + BSEND_OVERHEAD
        if self._size is not None and self._taken + needed > self._size:
            others = f", of which messages under way take {self._taken}" if self._taken else ""
            raise MPIError(
                f"bsend of {size} bytes takes {needed} of the buffer, with MPI.BSEND_OVERHEAD, and the one that was "
                f"attached has {self._size}{others}: attach a larger one",
                "ERR_BUFFER",
            )
        self._taken += needed

    def leave(self, size: int) -> None:
        """Release the room of a message of `size` bytes that has arrived."""
        self._taken -= size + BSEND_OVERHEAD
        if not self._taken:
            waiting, self._empty = self._empty, []
            for request in waiting:
                request.complete()

    def flush(self) -> Request:
        """Begin to wait until all messages in the buffer have arrived."""
        if not self._taken:
            return Request(self._kernel)
        request = Request(self._kernel, lambda: "its buffered sends to arrive (Flush_buffer)")
        self._empty.append(request)
        return request


class Attachments:
    """The methods that attach and detach the buffer of one communicator, or of a rank."""

    def __init__(self, kernel: Kernel):
        self._kernel = kernel
        self.buffer: AttachedBuffer | None = None

    def attach(self, given: Any) -> None:
        """Attach a buffer.

        :raises MPIError: there is one.
        """
        if self.buffer is not None:
            raise MPIError("Attach_buffer: there is a buffer attached already: detach it first", "ERR_OTHER")
        self.buffer = AttachedBuffer(self._kernel, given)
        if self._kernel.cluster.buffers is not None and self.buffer.given is not BUFFER_AUTOMATIC:
            memory = Buffer(bytes_of(given, receives=True))
            self._kernel.cluster.buffers.begins(self.buffer, ((memory, True),))

    def detach(self) -> Any:
        """Wait until the buffer is empty, detach it and return it; a buffer of size 0 if none was attached."""
        if self.buffer is None:
            from .mpi_buffer import buffer

            return buffer()
        self.flush().wait()
        taken, self.buffer = self.buffer, None
        if self._kernel.cluster.buffers is not None:
            self._kernel.cluster.buffers.ends(taken, self._kernel.task.rank.index)
        taken.over = True
        return taken.given

    def flush(self) -> Request:
        """Begin to wait until the buffer is empty."""
        return Request(self._kernel) if self.buffer is None else self.buffer.flush()
