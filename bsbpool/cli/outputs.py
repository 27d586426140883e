"""Files that commands write: what may be replaced, and how a file is written so that a failure leaves the old one.

The rule, for every output option of every command:

- A file that the command reads is never written to, by whatever name it is given: a link, another spelling.
- An existing file is replaced if bsbpool wrote it, as the same kind of file, and nobody changed it since. A trace is
  replaced if it is of a simulated run, which can be run again. Everything else takes ``--force``.
- A file is written beside its place and renamed when it is complete.
- Standard output, pipes and devices are written to directly: they hold nothing that could be lost.

`bsbpool record` needs none of this: it always makes a new file (`bsbpool.worlds.trace_files`).
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import click

from bsbpool.trace import Trace
from bsbpool.worlds.opening import open_to_write

__all__ = ["OutputFile", "claim", "descriptor_of", "force_option"]

#: Bytes of an existing trace that are looked at, to see what it is: its first line is shorter.
_FIRST_LINE = 2**20
#: How a file names the digest of all that stands before its last line.
_SEAL = re.compile(rb"\n(?:<!-- |# )written by bsbpool: (\w+) ([0-9a-f]{32})(?: -->)?\n$")
#: Bytes in which the seal is.
_SEAL_LENGTH = 200
#: How each kind of text file holds a comment.
_COMMENT = {"page": "<!-- {} -->", "picture": "<!-- {} -->", "scenario": "# {}", "test": "# {}"}
#: How a file of findings begins, and one for Perfetto; JSON has no comments.
_FINDINGS = b'{"generator": "bsbpool explore"'
_PERFETTO = b'{"displayTimeUnit":"ms","otherData":{"generator":"bsbpool"'

#: Paths that stand for a file descriptor of this process.
_DESCRIPTOR = re.compile(r"/(?:dev/fd|proc/self/fd)/(\d{1,6})$")
_STANDARD = {"-": 1, "/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


def force_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--force`` of commands that write files."""
    return click.option(
        "--force",
        is_flag=True,
        help="Also replace a file that bsbpool did not write, or that was changed since; never the input.",
    )(command)


@dataclass(frozen=True)
class OutputFile:
    """A file that a command is to write.

    :ivar path: as it was given.
    :ivar kind: ``page``, ``picture``, ``perfetto``, ``scenario``, ``trace``, ``findings`` or ``test``.
    :ivar option: the option that named it.
    :ivar reads: the files that the command reads.
    :ivar force: whether a file may be replaced that bsbpool did not write.
    """

    path: str
    kind: str
    option: str
    reads: tuple[str, ...] = ()
    force: bool = False

    def check(self) -> None:
        """See whether it may be written, before any work is done.

        :raises click.UsageError: it may not, or there is no such folder.
        """
        for read in self.reads:
            if _same(self.path, read):
                raise click.UsageError(
                    f"{self.option} {self.path} would replace {read}, which this command reads: give another name"
                )
        try:
            found = os.stat(self._opened)
        except FileNotFoundError:
            found = None
        except (OSError, ValueError) as error:
            raise self._wrong(error) from None
        if found is None:
            self._check_folder()
        elif stat.S_ISDIR(found.st_mode):
            inside = os.path.join(self.path, f"run{_ENDINGS[self.kind]}")
            raise click.UsageError(f"{self.path} is a folder: name a file, such as {inside}")
        elif stat.S_ISREG(found.st_mode) and self._descriptor is None and not self.force:
            reason = self._why_keep()
            if reason:
                raise click.UsageError(
                    f"{self.path} is there already, and {reason}: give another name, or --force to replace it"
                )

    def write(self, content: bytes) -> None:
        """Write the file; a text gets the mark by which it is known as written here.

        :raises click.UsageError: it can't be written; the old file, if any, is as it was.
        """
        if self.kind in _COMMENT and self._regular:
            content = sealed(content, self.kind)
        with self.opened() as file:
            file.write(content)

    def write_trace(self, trace: Trace) -> None:
        """Write a trace, compressed if the name ends in ``.gz``.

        :raises click.UsageError: as with `write`.
        """
        with self.opened() as file:
            trace.write_to(file, packed=self.path.endswith(".gz"))

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The file, to write to; it takes its place when this is left without an error."""
        self.check()
        try:
            if not self._regular:
                target = self._descriptor if self._descriptor is not None else self.path
                if target == 1:
                    sys.stdout.flush()
                with open_to_write(target) if isinstance(target, str) else open(target, "wb", closefd=False) as direct:
                    yield direct
            else:
                yield from self._beside()
        except OSError as error:
            raise self._wrong(error) from None

    def _beside(self) -> Iterator[BinaryIO]:
        place = os.path.realpath(self.path)  # what a link names is replaced, not the link
        file, name = _new_file(os.path.dirname(place))
        try:
            with open(file, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(file)  # some file systems say only now that they are full
            with suppress(FileNotFoundError):
                os.chmod(name, stat.S_IMODE(os.stat(place).st_mode))
            os.replace(name, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise

    @property
    def to_standard_output(self) -> bool:
        """Whether it goes where a command's own words go."""
        return self._descriptor == 1

    @property
    def _descriptor(self) -> int | None:
        return descriptor_of(self.path)

    @property
    def _opened(self) -> str | int:
        descriptor = self._descriptor
        return self.path if descriptor is None else descriptor

    @property
    def _regular(self) -> bool:
        if self._descriptor is not None:
            return False
        try:
            return stat.S_ISREG(os.stat(self.path).st_mode)
        except OSError:
            return True

    def _check_folder(self) -> None:
        folder = os.path.dirname(os.path.realpath(self.path))
        if not os.path.isdir(folder):
            raise click.UsageError(f"{self.path} can't be written: there is no folder {folder}")
        if not os.path.basename(self.path):
            raise click.UsageError(f"{self.path} names a folder: name a file, such as run{_ENDINGS[self.kind]}")

    def _wrong(self, error: OSError | ValueError) -> click.UsageError:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        number = error.errno if isinstance(error, OSError) else None
        hint = {
            errno.EACCES: f" (a file is made in its folder, and renamed): {_WRITABLE}",
            errno.EROFS: f": {_WRITABLE}",
            errno.ENOSPC: "; what was there is as it was",
            errno.EDQUOT: "; what was there is as it was",
        }.get(number or 0, "")
        return click.UsageError(f"{self.path} can't be written: {reason}{hint}")

    def _why_keep(self) -> str:
        """Why the existing file is not replaced unasked; empty if it is."""
        try:
            return _KINDS[self.kind](self)
        except OSError as error:
            return f"it can't be read ({error.strerror})"

    # -- what an existing file is ----------------------------------------------------------------------

    def _trace_there(self) -> str:
        header = self._head(_FIRST_LINE)
        try:
            first = json.loads(header.split(b"\n", 1)[0])
        except (ValueError, RecursionError):
            first = None
        if not isinstance(first, dict) or first.get("trace") != "bsbpool":
            return "it is no trace"
        return "" if first.get("simulated") is True else "it is the trace of a real run, which can't be run again"

    def _perfetto_there(self) -> str:
        return "" if self._head(len(_PERFETTO)) == _PERFETTO else "bsbpool did not write it"

    def _findings_there(self) -> str:
        return "" if self._head(len(_FINDINGS)) == _FINDINGS else "bsbpool did not write it"

    def _head(self, length: int) -> bytes:
        """The first bytes of the existing file, unpacked."""
        with open(self.path, "rb") as file:
            if file.peek(2)[:2] == b"\x1f\x8b":
                with suppress(EOFError, zlib.error, gzip.BadGzipFile):
                    return gzip.GzipFile(fileobj=file).read(length)
                return b""
            return file.read(length)

    def _text_there(self) -> str:
        with open(self.path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _SEAL_LENGTH))
            seal = _SEAL.search(file.read(_SEAL_LENGTH))
            if seal is None:
                return "bsbpool did not write it"
            if seal[1].decode() != self.kind:
                return f"it is a {seal[1].decode()}, not a {self.kind}"
            left = size - len(seal[0]) + 1
            digest = hashlib.sha256()
            file.seek(0)
            while left > 0 and (part := file.read(min(left, 2**20))):
                digest.update(part)
                left -= len(part)
        return "" if digest.hexdigest()[:32].encode() == seal[2] else "it was changed since bsbpool wrote it"


_ENDINGS = {
    "page": ".html", "picture": ".svg", "perfetto": ".json", "scenario": ".yaml", "trace": ".trace",
    "findings": ".json", "test": ".py",
}  # fmt: skip
_WRITABLE = "give a folder that you may write to"
_KINDS: dict[str, Callable[[OutputFile], str]] = {
    "trace": OutputFile._trace_there,
    "perfetto": OutputFile._perfetto_there,
    "findings": OutputFile._findings_there,
    **dict.fromkeys(_COMMENT, OutputFile._text_there),
}


def claim(outputs: Sequence[OutputFile]) -> None:
    """See whether all of these files may be written, and are different ones.

    :raises click.UsageError: they may not.
    """
    for number, output in enumerate(outputs):
        for other in outputs[:number]:
            if _same(output.path, other.path):
                raise click.UsageError(f"{other.option} and {output.option} name the same file: {output.path}")
        output.check()


def descriptor_of(path: str) -> int | None:
    """The file descriptor of this process that a path stands for, such as 1 for ``/dev/stdout``."""
    found = _DESCRIPTOR.match(path)
    return int(found[1]) if found else _STANDARD.get(path)


def sealed(content: bytes, kind: str) -> bytes:
    """A text with a last line by which it is known as written here, and unchanged."""
    if not content.endswith(b"\n"):
        content += b"\n"
    seal = f"written by bsbpool: {kind} {hashlib.sha256(content).hexdigest()[:32]}"
    return content + _COMMENT[kind].format(seal).encode() + b"\n"


def _same(one: str, other: str) -> bool:
    """Whether two paths name the same file, if it is one that can be read again or lost."""
    try:
        found = os.stat(one)
        return stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.stat(other))
    except (OSError, ValueError):
        pass
    with suppress(OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)
    return False


def _new_file(folder: str) -> tuple[int, str]:
    """A new file in a folder: its descriptor, and its name."""
    number = 1
    while True:
        name = os.path.join(folder, f".bsbpool-{number}.part")
        try:
            return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666), name
        except FileExistsError:
            number += 1
