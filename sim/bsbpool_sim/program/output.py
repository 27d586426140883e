"""The output of ranks: their streams, which pass whole lines on to the real streams.

An incomplete line of a rank waits until the line is complete, the rank ends, or the text is long.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

#: Bytes of an unfinished line that are kept.
_LONGEST = 1 << 16


class OutputClosedError(BaseException):
    """The reader of the output has closed it, as `head` does."""


class SharedStream:
    """A real stream that all ranks write to.

    :param stream: where it goes; it is flushed when the program is over, or another one is written to. None: nowhere,
        since this process has no such stream.
    :param at_once: whether each line is flushed; None: if it is a terminal.
    :param others: all of these streams, which may go to one place.
    :ivar unfinished: which rank has a line here that is not finished; None: none.
    """

    def __init__(self, stream: Any, at_once: bool | None, others: list[SharedStream]):
        if stream is None:
            stream = io.TextIOWrapper(_Nowhere())
        self._stream = stream
        self._at_once = stream.isatty() if at_once is None else at_once
        self._written = False
        stream.flush()
        self._binary = getattr(stream, "buffer", None)
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self.errors = getattr(stream, "errors", None) or "strict"
        self._others = others
        others.append(self)
        self.unfinished: Any = None

    def write(self, data: bytes, writer: Any) -> None:
        """Write whole lines, or the rest of one when the rank writes no more."""
        for each in self._others:
            if each.unfinished not in (None, writer):
                each.unfinished = None
                self._put(b"\n")
            if each is not self and each._written:
                each.flush()
        self._put(data)
        self.unfinished = None if data.endswith(b"\n") else writer
        if self._at_once:
            self.flush()

    def _put(self, data: bytes) -> None:
        try:
            if self._binary is not None:
                self._binary.write(data)
            else:
                self._stream.write(data.decode(self.encoding, "replace"))
        except BrokenPipeError:
            raise OutputClosedError from None
        self._written = True

    def flush(self) -> None:
        """Flush the real stream."""
        try:
            (self._binary or self._stream).flush()
        except BrokenPipeError:
            raise OutputClosedError from None
        self._written = False

    def end(self) -> None:
        """The program is over. Whoever wrote what can't be written was told."""
        with suppress(OSError):
            self.flush()


class _Nowhere(io.RawIOBase):
    """Takes all, and keeps nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


class _Lines(io.RawIOBase):
    """The bytes that a rank writes, until they are passed on to the real stream."""

    def __init__(self, output: SharedStream, label: bytes, number: int):
        self._output = output
        self._label = label
        self._number = number
        self._held = b""
        self.muted = False

    def writable(self) -> bool:
        return True

    @property
    def name(self) -> Any:
        """What Python calls the real stream: <stdout>."""
        return getattr(self._output._stream, "name", None)

    def fileno(self) -> int:
        return int(self._output._stream.fileno())

    def write(self, data: Any) -> int:
        """Pass whole lines on."""
        data = bytes(data)
        if self.muted:
            return len(data)
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            lines, self._held = self._held + whole + newline, rest  # first: it may be interrupted as it is written
            self._pass(lines)
        else:
            self._held += rest
        if len(self._held) > _LONGEST:
            self.finish()
        return len(data)

    def finish(self) -> None:
        """Pass on the rest of an unfinished line."""
        if self._held:
            held, self._held = self._held, b""
            self._pass(held)

    def _pass(self, data: bytes) -> None:
        if self._label:
            lines = data.splitlines(keepends=True) if data.count(b"\r") == 0 else _lines(data)
            data = b"".join(self._label + line for line in lines)
        self._output.write(data, self._number)


def _lines(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


class RankStream(io.TextIOWrapper):
    """A rank's standard output or standard error.

    :param output: the real stream.
    :param label: what each line begins with.
    :param number: the rank.
    """

    def __init__(self, output: SharedStream, label: str, number: int):
        self.lines = _Lines(output, label.encode(output.encoding, "replace"), number)
        super().__init__(
            self.lines,
            encoding=output.encoding,
            errors=output.errors,
            newline="\n",
            write_through=True,
        )

    @property
    def mode(self) -> str:
        """How it was opened, as Python's own streams say it."""
        return "w"

    def finish(self) -> bool:
        """Pass on the rest of an unfinished line, since the rank has ended. Returns whether it could be written."""
        try:
            with suppress(ValueError):  # the rank has closed or detached it: all that it had is with its lines
                self.flush()
            self.lines.finish()
        except OSError:
            self.lines.muted = True  # else the stream tries again as it goes away
            return False
        return True
