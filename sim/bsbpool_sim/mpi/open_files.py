"""Open files: what the ranks that opened one together share, and its bytes on the disk.

One descriptor serves them all, since every access says where in the file it is. What programs call is in `files`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from ..errors import CollectiveMismatchError, MPIError
from .collective_call import see_alike
from .file_modes import (
    MODE_APPEND,
    MODE_CREATE,
    MODE_DELETE_ON_CLOSE,
    MODE_EXCL,
    MODE_RDONLY,
    MODE_RDWR,
    kind_of_system,
    mode_text,
    of_system,
    wrong_mode,
)
from .file_views import View

#: Bytes that are read at once, where the pieces of a view are close to each other.
_WINDOW = 1 << 20


class OpenFile:
    """A file, opened by all ranks of a communicator.

    :ivar begin: where all file pointers are at first.
    :ivar shared: the shared file pointer, in etypes.
    :ivar atomic: whether accesses are atomic; here they always are.
    """

    def __init__(self, path: str, amode: int, descriptor: int):
        self.path, self.amode = path, amode
        self._descriptor: int | None = descriptor
        self.atomic = False
        self.begin = self.shared = self.size if amode & MODE_APPEND else 0

    @property
    def _open(self) -> int:
        if self._descriptor is None:
            raise MPIError(f"the file {self.path} was closed", "ERR_FILE")
        return self._descriptor

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return os.fstat(self._open).st_size

    def close(self) -> None:
        """Close it, and delete it if it was opened so."""
        self.give_up()
        if self.amode & MODE_DELETE_ON_CLOSE:
            os.unlink(self.path)

    def give_up(self) -> None:
        """Close it, if that has not been done."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def resize(self, size: int) -> None:
        """Cut it off, or fill it up with zeros."""
        os.ftruncate(self._open, size)

    def reserve(self, size: int) -> None:
        """See that it has at least `size` bytes, and room for them."""
        if size > self.size:
            os.posix_fallocate(self._open, 0, size)

    def read(self, view: View, start: int, size: int) -> bytes:
        """The bytes of data from `start` on: `size`, or as many as there are before the end of the file."""
        parts = []
        for pieces in _windows(view.places(start, size)):
            first, last = pieces[0], pieces[-1]
            span = self._read(first[0], last[0] + last[1] - first[0])
            for offset, length in pieces:
                part = span[offset - first[0] : offset - first[0] + length]
                parts.append(part)
                if len(part) < length:
                    return b"".join(parts)
        return b"".join(parts)

    def _read(self, offset: int, length: int) -> bytes:
        parts = []
        while length and (part := os.pread(self._open, length, offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def write(self, view: View, start: int, data: bytes) -> None:
        """Write `data` as the view's bytes from `start` on."""
        rest = memoryview(data)
        for offset, length in view.places(start, len(data)):
            part, rest = rest[:length], rest[length:]
            while part:
                done = os.pwrite(self._open, part, offset)
                part, offset = part[done:], offset + done


def _windows(places: Iterable[tuple[int, int]]) -> Iterable[list[tuple[int, int]]]:
    """Pieces of a file in ascending order, together where they are worth one access."""
    near: list[tuple[int, int]] = []
    for offset, length in places:
        if near and offset + length - near[0][0] > _WINDOW:
            yield near
            near = []
        near.append((offset, length))
    if near:
        yield near


#: What is said of ranks that open different files.
_OTHER = "File.Open: rank 0 opens {}, and rank {} of the communicator {}: all must open one file"


def open_together(wishes: Mapping[int, tuple[str, int]]) -> OpenFile | Mapping[int, MPIError]:
    """Open a file for all ranks of a communicator, which rank 0 creates if it is to be created.

    :param wishes: for each rank an absolute path and a mode.
    :returns: the file, or what each rank raises.
    """
    path, amode = wishes[0]
    try:
        see_alike("File.Open", {rank: mode for rank, (_, mode) in wishes.items()}, "ERR_NOT_SAME", mode_text)
    except CollectiveMismatchError as error:
        return _all(wishes, error)
    if (wrong := wrong_mode(amode)) is not None:
        return _all(wishes, MPIError(f"File.Open(amode={amode}): {wrong}", "ERR_AMODE"))
    flags = os.O_RDWR if amode & MODE_RDWR else os.O_RDONLY if amode & MODE_RDONLY else os.O_WRONLY
    flags |= (os.O_CREAT if amode & MODE_CREATE else 0) | (os.O_EXCL if amode & MODE_EXCL else 0)
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError as error:
        return {rank: of_system("File.Open", theirs, error) for rank, (theirs, _) in wishes.items()}
    others = {rank: theirs for rank, (theirs, _) in wishes.items() if theirs != path}
    for rank, theirs in others.items():
        try:
            same = os.path.samestat(os.fstat(descriptor), os.stat(theirs))
        except OSError as error:
            os.close(descriptor)
            text = f"{_OTHER.format(path, rank, theirs)}, and rank {rank} can't: {error.strerror}"
            failed = CollectiveMismatchError(text, "ERR_IO")
            return {**_all(wishes, failed), rank: CollectiveMismatchError(text, kind_of_system(error))}
        if not same:
            os.close(descriptor)
            return _all(wishes, CollectiveMismatchError(_OTHER.format(path, rank, theirs), "ERR_NOT_SAME"))
    return OpenFile(path, amode, descriptor)


def _all(ranks: Iterable[int], error: MPIError) -> dict[int, MPIError]:
    return dict.fromkeys(ranks, error)
