"""Reads the calls of jobs that were kept beside a trace: of failed jobs, and of jobs that ran when the run was killed.

The calls are pickles, and stay bytes here. Unpickling one runs code of the author of the file; only the user can allow
that, and it never happens here.
"""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from ..engine.status import JobStatus
from ..exceptions import TraceError
from ..text import harmless
from ..worlds.opening import open_to_read
from .format import Trace
from .recording import CALLS_VERSION

__all__ = ["Call", "calls_path", "read_calls"]

#: No line, and no call, has more bytes.
LONGEST_LINE, LARGEST_CALL = 10_000, 2**31

_ENDED = {status.value for status in JobStatus if status.ended}


class Call(NamedTuple):
    """The call of a job: a pickle of what to call, args and kwargs, for `bsbpool.pool.calls.bind`."""

    name: str
    packed: bytes


def calls_path(trace_path: str | os.PathLike[str]) -> str:
    """Return the path of the file with the calls of a trace."""
    return f"{os.fspath(trace_path)}.calls"


class RecordedCalls(dict[tuple[int | str, int], Call]):
    """Calls by pool and job, packed as they are.

    :ivar cut: whether the end of their file is missing.
    """

    cut = False


def read_calls(path: str | os.PathLike[str], trace: Trace | None = None) -> RecordedCalls:
    """The calls in a file, by pool and job, packed as they are; if its end is missing, up to there.

    Where the run was killed, those of jobs that ran then are in a file of their own beside it (its name with
    ``.running`` at the end), and are read too.

    :param trace: the trace that they must belong to.
    :raises TraceError: the file can't be read, holds no calls, or those of another run.
    """
    name = os.fspath(path)
    found = _read(name, trace)
    running = f"{name}.running"
    if os.path.isfile(running):
        over = set() if trace is None else _ended(trace)
        for which, call in _read(running, trace).items():
            # Those of jobs that have ended are left out of that file from time to time only.
            if which not in over:
                found.setdefault(which, call)
    return found


def _ended(trace: Trace) -> set[tuple[int | str, int]]:
    """Return the jobs that ended within a trace, by pool and id."""
    return {(e.pool, e.job) for e in trace.events if e.e == "status" and e.status in _ENDED}


def _read(name: str, trace: Trace | None) -> RecordedCalls:
    found = RecordedCalls()
    try:
        with open_to_read(name) as file:
            header = _parsed(file.readline(LONGEST_LINE))
            if header is None or header.get("calls") != "bsbpool":
                raise TraceError(
                    name, 1, "this file holds no calls of jobs: those of a trace are in FILE.calls beside it"
                )
            if header.get("version") != CALLS_VERSION:
                raise TraceError(name, 1, f"its version is {header.get('version')!r:.30}; it should be {CALLS_VERSION}")
            if trace is not None and header.get("run") != trace.header.get("run"):
                raise TraceError(name, 1, "these calls are of another run than the trace")
            while line := file.readline(LONGEST_LINE):
                about = _parsed(line)
                if about is None:
                    found.cut = True  # the run was killed, or the file cut
                    return found
                pool, job, label, size = (about.get(field) for field in ("pool", "job", "name", "bytes"))
                if not isinstance(pool, int | str) or not isinstance(job, int) or not isinstance(label, str):
                    raise TraceError(name, None, "what is said of a call is not its pool, job and name")
                if not isinstance(size, int) or not 0 <= size <= LARGEST_CALL:
                    raise TraceError(name, None, f"bytes of a call is {size!r:.30}; it should be their number")
                if file.tell() + size + 1 > os.fstat(file.fileno()).st_size:
                    found.cut = True
                    return found
                found[pool, job] = Call(harmless(label), file.read(size))
                file.read(1)
    except OSError as error:
        raise TraceError(name, None, f"it can't be read: {error.strerror or error}") from None
    return found


def _parsed(line: bytes) -> dict[str, object] | None:
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
