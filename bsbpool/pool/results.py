"""Keeps the results of jobs on main: in memory, and in the pool's folder if they need too much memory.

A result stays packed until the program reads it. Packing belongs in `protocol`; `engine` decides whether a job has a
result.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import JobPoolError
from ..frames import warn
from ..values import text_of
from .closed import no_folder
from .protocol import ByReference, Codec

if TYPE_CHECKING:
    from .jobs import Job

#: Bytes of large results that main keeps in memory; those that come later wait in the pool's folder.
RESULTS_IN_MEMORY = 512 * 1024 * 1024


class _OnDisk(NamedTuple):
    """A result in the pool's folder: its parts, one after the other."""

    path: str
    sizes: list[int]

    def read(self) -> list[Any]:
        parts = [bytearray(size) for size in self.sizes]
        with open(self.path, "rb", buffering=0) as file:
            for part in parts:
                rest = memoryview(part)
                while rest:
                    count = file.readinto(rest)
                    if not count:
                        raise EOFError(f"{self.path} is shorter than what was written")
                    rest = rest[count:]
        return parts


class Results:
    """The results of a pool's jobs.

    :param codec: what unpacks them.
    :param folder: gives the pool's folder; called when the first result is written there.
    """

    def __init__(self, codec: Codec, folder: Callable[[], str]):
        self._codec = codec
        self._folder = folder
        # By reference, results are the very values that jobs returned, and a list is no list of parts.
        self._in_parts = not isinstance(codec, ByReference)
        # Bytes of large results in memory.
        self._in_memory = 0

    def dissolve(self) -> None:
        """No result comes any more, since the pool is closed."""
        self._folder = no_folder

    def keep(self, job: Job, payload: Any) -> None:
        """Keep a result as it came."""
        if type(payload) is list and self._in_parts:
            size = sum(map(len, payload))
            if self._in_memory + size <= RESULTS_IN_MEMORY:
                self._in_memory += size
            else:
                payload = self._write(job, payload)
        job._payload = payload

    def of(self, job: Job) -> Any:
        """The result of a job that succeeded.

        :raises JobPoolError: it can't be read.
        """
        payload = job._payload
        if payload is None:
            return job._result
        try:
            if type(payload) is _OnDisk:
                # It is not kept: those who read one large result after the other never have all of them in memory.
                return self._codec.unpack_result(payload.read())
            job._result = self._codec.unpack_result(payload)
        except Exception as error:
            raise JobPoolError(f"Result of {job} can't be read: {type(error).__name__}: {text_of(error)}") from error
        job._payload = None
        return job._result

    def _write(self, job: Job, parts: list[Any]) -> Any:
        """Write a result to the pool's folder. Returns what stands for it from now on."""
        path = None
        try:
            path = os.path.join(self._folder(), f"{job._id}.result")
            with open(path, "wb", buffering=0) as file:
                for part in parts:
                    rest = memoryview(part)
                    while rest:
                        rest = rest[file.write(rest) :]
        except OSError as error:
            where = f" to {path}" if path is not None else ""
            warn(f"The result of {job} stays in memory, since it can't be written{where}: {error}")
            if path is not None:
                with contextlib.suppress(OSError):
                    os.unlink(path)  # half a result takes room from others
            return parts
        return _OnDisk(path, [*map(len, parts)])
