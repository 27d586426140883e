"""Opens files that users name, which may be pipes, without waiting for ever for the other end of a pipe.

`open_to_read` and `open_to_write` open a path as `open` does. If a pipe has no other end, they wait for a limited time,
and then refuse it. The content of files, and limits of its size, do not belong here.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
from typing import BinaryIO

__all__ = ["open_to_read", "open_to_write"]

#: Milliseconds for which somebody may be late who holds the other end of a pipe.
PATIENCE_MS = 10_000
#: Milliseconds between two looks for somebody who reads.
_STEP_MS = 20
#: Windows has none of these; its pipes are no files.
_ANSWERS_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def open_to_read(path: str | os.PathLike[str]) -> io.BufferedReader:
    """Open a file to read from its beginning.

    :param path: the file; a device, a pipe or ``/dev/stdin`` will do.
    :returns: the open file. A read from a pipe waits for as long as somebody may still write to it.
    :raises OSError: it can't be opened; or it is a named pipe, and for `PATIENCE_MS` nobody came to write to it.
    """
    # Opened so, a pipe is open at once, whoever is at its other end; for other files it changes nothing.
    file = os.open(path, os.O_RDONLY | _ANSWERS_AT_ONCE)
    try:
        if not stat.S_ISFIFO(os.fstat(file).st_mode):
            os.set_blocking(file, True)
            return open(file, "rb")
        begin = _first_of_pipe(file)
        os.set_blocking(file, True)
        return open(file, "rb") if begin is None else io.BufferedReader(_Pipe(file, begin))
    except BaseException:
        os.close(file)
        raise


def _first_of_pipe(file: int) -> bytes | None:
    """Wait until somebody has written to a pipe; None if what was written can be read as usual.

    :returns: what was read of the pipe in finding out.
    :raises OSError: nobody has it open to write.
    """
    arrival = select.poll()
    arrival.register(file, select.POLLIN)
    if arrival.poll(PATIENCE_MS):
        return None
    # Nothing has come: only a read tells whether somebody may still write.
    try:
        begin = os.read(file, io.DEFAULT_BUFFER_SIZE)
    except BlockingIOError:
        return None
    if not begin:
        raise OSError(errno.EPIPE, f"in {PATIENCE_MS / 1000:g} s nobody has opened this pipe to write to it")
    return begin


class _Pipe(io.FileIO):
    """A pipe of which the first bytes were read already."""

    def __init__(self, file: int, begin: bytes):
        super().__init__(file, "rb")
        self._begin = begin

    # typeshed has any buffer here; `BufferedReader`, the only caller, hands a memoryview.
    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        if not self._begin:
            return super().readinto(buffer)
        part, self._begin = self._begin[: len(buffer)], self._begin[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def open_to_write(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a pipe or a device to write to.

    :param path: what is there already, and is no regular file.
    :returns: the open file.
    :raises OSError: it can't be opened; or it is a named pipe, and for `PATIENCE_MS` nobody came to read from it.
    """
    if not stat.S_ISFIFO(os.stat(path).st_mode):
        return open(path, "wb")
    left = PATIENCE_MS
    while True:
        try:
            file = os.open(path, os.O_WRONLY | _ANSWERS_AT_ONCE)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        if left <= 0:
            raise OSError(errno.ENXIO, f"in {PATIENCE_MS / 1000:g} s nobody has opened this pipe to read from it")
        select.poll().poll(_STEP_MS)
        left -= _STEP_MS
    os.set_blocking(file, True)
    return open(file, "wb")
