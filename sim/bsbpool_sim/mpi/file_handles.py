"""What a handle of a file refers to, and how the calls on it move data.

The calls themselves are in `file_access` and `files`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from ..errors import MPIError
from .buffers import Buffer
from .collective_call import Collective, Part, none, present
from .collective_forms import Forms
from .constants import ANY_SOURCE, ANY_TAG
from .file_modes import MODE_RDONLY, MODE_SEQUENTIAL, MODE_WRONLY, of_system
from .file_views import View, turned
from .handles import Handle, State
from .integer_arguments import LONG, integer
from .open_files import OpenFile
from .requests import Request
from .status import fill

#: How a rank waits in a collective call of a file: for all.
_EVERYBODY = Part("File", present, none)


class Opened(State):
    """A file, as one rank has it open.

    :ivar comm: its end of the communicator that the ranks of the file have for it.
    :ivar view: what this rank sees of the file.
    :ivar at: the individual file pointer, in bytes of the view's data.
    :ivar split: the split collective call that was begun and has not ended.
    :param hints: those of its info object.
    """

    def __init__(self, comm: Forms, file: OpenFile, hints: dict[str, str]):
        self.comm, self.file, self.hints = comm, file, hints
        self.view = View()
        self.at = file.begin
        self.split: Split | None = None

    def advance(self, size: int) -> int:
        """Advance the shared file pointer by `size` bytes of data. Returns where it was, in bytes of data."""
        at = self.file.shared
        self.file.shared += size // self.view.item
        return at * self.view.item

    def write(self, call: str, start: int, data: bytes) -> None:
        """Write `data` as the view's bytes from `start` on."""
        try:
            self.file.write(self.view, start, data)
        except OSError as error:
            raise of_system(call, self.file.path, error) from None

    def read(self, call: str, start: int, buffer: Buffer) -> int:
        """Read into a buffer. Returns how many bytes there were."""
        try:
            data = self.file.read(self.view, start, len(buffer))
        except OSError as error:
            raise of_system(call, self.file.path, error) from None
        buffer.put(
            turned(buffer.type, data) if self.view.datarep == "external32" else data, "what was read of the file"
        )
        return len(data)


class Split(NamedTuple):
    """A split collective call under way: its name, what all ranks have of it, and what ends it."""

    name: str
    call: Collective
    end: Callable[[], int]


class _Part:
    """What one rank has in a collective access: where in its view, how much, and what it writes."""

    def __init__(self, opened: Opened, start: int, size: int, data: bytes):
        self.opened, self.start, self.size, self.data = opened, start, size, data
        self.error: MPIError | None = None


class Transferred(Request):
    """A request for an access to a file by one rank, which is done."""

    def __init__(self, opened: Opened, size: int):
        super().__init__(opened.comm.cluster.kernel)
        self._size = size

    def _end(self, status: Any) -> None:
        self.over = True
        fill(status, ANY_SOURCE, ANY_TAG, self._size)


class TransferredTogether(Request):
    """A request for an access to a file by all ranks, which is done when all have begun it."""

    def __init__(self, opened: Opened, call: Collective, end: Callable[[], int]):
        super().__init__(opened.comm.cluster.kernel, functools.partial(call.waits_for, opened.comm.rank))
        self._finish, self._size = end, 0
        self._error: MPIError | None = None
        call.complete(opened.comm.rank, _EVERYBODY, self)

    def complete(self, _: object = None) -> None:
        """Move the data, and wake who waits."""
        try:
            self._size = self._finish()
        except MPIError as error:
            self._error = error
        super().complete()

    def _end(self, status: Any) -> None:
        self.over = True
        if self._error is not None:
            raise self._error
        fill(status, ANY_SOURCE, ANY_TAG, self._size)


class FileHandle(Handle):
    """A handle of a file; null, if there is no file open."""

    _state: Opened | None

    def _opened(self, call: str) -> Opened:
        if self._state is None:
            raise MPIError(f"{call}: the file is FILE_NULL: it was closed, or never opened", "ERR_FILE")
        return self._state

    # -- what is checked ---------------------------------------------------------------------------

    def _unless_sequential(self, call: str) -> Opened:
        opened = self._opened(call)
        if opened.file.amode & MODE_SEQUENTIAL:
            raise MPIError(
                f"{call}: the file was opened with MODE_SEQUENTIAL, which has only a shared pointer: use Read_shared, "
                "Write_shared, Read_ordered and Write_ordered",
                "ERR_UNSUPPORTED_OPERATION",
            )
        return opened

    def _access(self, call: str, write: bool, buf: Any, shared: bool = False) -> tuple[Opened, Buffer]:
        """The open file, and the buffer of an access to it.

        :raises MPIError: it was not opened for this, or the buffer is not made of whole etypes.
        """
        buffer = Buffer(buf)
        if not write and buffer.readonly and len(buffer):
            raise BufferError(f"{call}: the buffer is read-only: give one that can be written")
        opened = self._opened(call) if shared else self._unless_sequential(call)
        if write and opened.file.amode & MODE_RDONLY:
            raise MPIError(f"{call}: the file was opened with MODE_RDONLY", "ERR_READ_ONLY")
        if not write and opened.file.amode & MODE_WRONLY:
            raise MPIError(f"{call}: the file was opened with MODE_WRONLY", "ERR_ACCESS")
        if len(buffer) % opened.view.item:
            text = f"{call}: a buffer of {len(buffer)} bytes is not made of whole etypes of {opened.view.item} bytes"
            raise MPIError(text, "ERR_IO")
        return opened, buffer

    def _start(self, call: str, opened: Opened, offset: int | None) -> int:
        """Where an access begins: at an offset in etypes, or (None) at the individual file pointer."""
        if offset is None:
            return opened.at
        offset = integer(offset, "offset", bits=LONG)
        if offset < 0:
            raise MPIError(f"{call}(offset={offset}): an offset is 0 or more", "ERR_ARG")
        return offset * opened.view.item

    # -- what one rank does ------------------------------------------------------------------------

    def _write(self, call: str, buf: Any, offset: int | None = None) -> tuple[Opened, int]:
        opened, buffer = self._access(call, True, buf)
        start = self._start(call, opened, offset)
        opened.write(call, start, _data(opened, buffer))
        if offset is None:
            opened.at = start + len(buffer)
        return opened, len(buffer)

    def _read(self, call: str, buf: Any, offset: int | None = None, whole: bool = False) -> tuple[Opened, int]:
        """Read, and advance the pointer by what was read.

        :param whole: by what was asked for instead, as MPICH has it for requests, and for views with holes.
        """
        opened, buffer = self._access(call, False, buf)
        start = self._start(call, opened, offset)
        size = opened.read(call, start, buffer)
        if offset is None:
            opened.at = start + (len(buffer) if whole or not opened.view.plain else size)
        return opened, size

    def _write_shared(self, call: str, buf: Any) -> tuple[Opened, int]:
        opened, buffer = self._access(call, True, buf, shared=True)
        opened.write(call, opened.advance(len(buffer)), _data(opened, buffer))
        return opened, len(buffer)

    def _read_shared(self, call: str, buf: Any) -> tuple[Opened, int]:
        opened, buffer = self._access(call, False, buf, shared=True)
        return opened, opened.read(call, opened.advance(len(buffer)), buffer)

    # -- what all ranks do together ----------------------------------------------------------------

    def _enter(self, call: str, opened: Opened, payload: Any = None, size: int = 0) -> Collective:
        if opened.split is not None:
            name = opened.split.name
            text = f"{call} between {name}_begin and {name}_end: a file has one collective call at a time"
            raise MPIError(text, "ERR_IO")
        return opened.comm.context.enter(opened.comm.rank, Part(f"File.{call}", present, none), payload, size)

    def _together(self, call: str, opened: Opened, payload: Any = None) -> Collective:
        collective = self._enter(call, opened, payload)
        _wait(opened, collective)
        return collective

    def _write_all(
        self, call: str, buf: Any, offset: int | None = None, ordered: bool = False
    ) -> tuple[Opened, Collective, Callable[[], int]]:
        """Begin a collective write. All ranks' data is written when all have begun it, in their order.

        :returns: the open file, the call, and what is called when it ends.
        """
        opened, buffer = self._access(call, True, buf, shared=ordered)
        data, start = _data(opened, buffer), 0
        if not ordered:
            start = self._start(call, opened, offset)
        collective = self._enter(call, opened, _Part(opened, start, len(data), data), len(data))
        if offset is None and not ordered:
            opened.at += len(data)

        def end() -> int:
            part = _parts(call, collective, opened, ordered)[opened.comm.rank]
            if part.error is not None:
                raise part.error
            return part.size

        return opened, collective, end

    def _read_all(
        self, call: str, buf: Any, offset: int | None = None, ordered: bool = False, whole: bool = False
    ) -> tuple[Opened, Collective, Callable[[], int]]:
        """Begin a collective read, as `_write_all` and `_read` do."""
        opened, buffer = self._access(call, False, buf, shared=ordered)
        start = 0 if ordered else self._start(call, opened, offset)
        collective = self._enter(call, opened, _Part(opened, start, len(buffer), b""), len(buffer))
        own = offset is None and not ordered
        if own:
            opened.at += len(buffer)

        def end() -> int:
            size = opened.read(call, _parts(call, collective, opened, ordered)[opened.comm.rank].start, buffer)
            if own and not whole and opened.view.plain:
                opened.at -= len(buffer) - size
            return size

        return opened, collective, end

    def _split(self, name: str, begun: tuple[Opened, Collective, Callable[[], int]]) -> None:
        begun[0].split = Split(name, *begun[1:])

    def _end(self, name: str, status: Any, buffer: Buffer) -> None:
        """End the split collective call `name`, with the buffer that it was begun with.

        :param buffer: the same, as MPI wants to have it once more; nothing is done with it.
        """
        opened = self._opened(f"{name}_end")
        split = opened.split
        if split is None or split.name != name:
            begun = "none was begun" if split is None else f"it was {split.name}_begin that was called"
            raise MPIError(f"{name}_end: {begun}", "ERR_IO")
        opened.split = None
        finish((opened, *split[1:]), status)


def finish(begun: tuple[Opened, Collective, Callable[[], int]], status: Any) -> None:
    """Wait until all ranks have begun a collective access, and end it for this one."""
    opened, collective, end = begun
    _wait(opened, collective)
    fill(status, ANY_SOURCE, ANY_TAG, end())


def _wait(opened: Opened, collective: Collective) -> None:
    collective.wait(opened.comm.rank, _EVERYBODY)


def _data(opened: Opened, buffer: Buffer) -> bytes:
    """What of a buffer is written into the file."""
    data = buffer.read()
    return turned(buffer.type, data) if opened.view.datarep == "external32" else data


def _parts(call: str, collective: Collective, opened: Opened, ordered: bool) -> list[_Part]:
    """What the ranks have in a collective access to which all have come; what there is to write has been written.

    :param ordered: whether they begin at the shared file pointer, one after the other.
    """
    if collective.result is None:
        parts: list[_Part] = [collective.payloads[rank] for rank in range(opened.comm.size)]
        collective.result = parts
        for part in parts:
            if ordered:
                part.start = part.opened.advance(part.size)
            try:
                part.opened.write(call, part.start, part.data)
            except MPIError as error:
                part.error = error
    found: list[_Part] = collective.result
    return found
