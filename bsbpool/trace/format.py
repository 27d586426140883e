"""The trace format: JSON Lines, with a header and then one event per line.

The table `EVENTS` defines everything that a trace can contain; the code that writes, reads or draws traces uses that
table. How and when events occur does not belong here.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..engine.status import JobStatus, PoolStatus
from ..errors_and_facts import describe_error
from ..facts import Error
from ..text import harmless, scrub
from ..values import text_of
from .events import MAKE, RECORDS, Event, Frame, JobStatusChanged, OutcomeReceived, TracedError, record_of

__all__ = [
    "DEEPEST",
    "ERROR_FIELDS",
    "EVENTS",
    "FAULT_FIELDS",
    "FIELDS",
    "FOLDED",
    "FRAME",
    "MOST_FRAMES",
    "MOST_RANKS",
    "ROW",
    "STATUSES",
    "VERSION",
    "Successes",
    "Trace",
    "as_json",
    "describe",
    "describe_error",
    "fields_of",
    "scrub",
    "traced_error",
    "unfold",
]  # fmt: skip

#: Version of the format; grows when a reader of the old one would misread the new one.
VERSION = 2

#: Each kind of event with the names of its fields, in order; ``t`` (nanoseconds) comes before them. The records of
#: `events` say what happened.
EVENTS: dict[str, tuple[str, ...]] = {kind: record._fields[2:] for kind, record in RECORDS.items()}

#: Events of files that stand for several, which follow each other all the time; readers unfold them.
FOLDED: dict[str, tuple[str, ...]] = {
    # for each row a message, of a job that is a success with it; then the next job on that rank, if any, is running
    "succeeded": ("pool", "rows"),
    # these jobs became queued, one after the other
    "queued": ("pool", "jobs"),
}

#: What a row holds: when the message came, the rank, the job, when it started less when the message came, how long it
#: took (both by the rank's clock), and the next job.
ROW = ("nanoseconds", "rank", "job id", "integer", "integer", "job id or null")

#: What each field holds: for its name, or for ``kind.name`` where a kind of event differs. Readers hold lines
#: against it.
FIELDS: dict[str, str] = {
    "t": "nanoseconds",
    "pool": "integer or text",
    "ranks": "number of ranks",
    "fail_fast": "true or false",
    "phases": "list of texts",
    "pool_status.status": "pool status",
    "status.status": "job status",
    "by_hand.status": "job status",
    "job": "job id",
    "cached.job": "job id or null",
    "freed.job": "job id or null",
    "unhandled.job": "job id or null",
    "traceback.job": "job id or null",
    "of": "text",
    "errors": "list of traced errors",
    "kind": "text",
    "name": "text",
    "context": "object",
    "deps": "list of job ids",
    "cache": "list of integers",
    "rank": "rank",
    "status.rank": "rank or null",
    "error": "error or null",
    "lost.error": "error",
    "unhandled.error": "error",
    "raised.error": "error",
    "started": "nanoseconds on the rank's clock",
    "ended": "nanoseconds on the rank's clock",
    "peak": "bytes",
    "ns": "nanoseconds or null",
    "times": "integer",
    "jobs": "list of job ids",
    "rows": "list of rows",
    "reason": "text or null",
    "done": "true or false",
    "items": "list of integers",
    "node": "text",
    "nodes": "integer",
    "scheduler": "integer",
    "source": "rank",
    "tag": "integer",
    "size": "bytes",
    "what": "fault",
}

#: What an error of each kind says: the fields of its record in `bsbpool.facts`. It may have come from another run: that
#: of a pool before, or a simulation inside of a job.
ERROR_FIELDS: dict[str, dict[str, str]] = {
    "raised": {"type": "text", "message": "text"},
    "overdue": {
        "limit": "nanoseconds", "rank": "rank of any run", "host": "text", "ended": "end of an overdue job",
        "place": "text",
    },
    "lost rank": {"rank": "rank of any run", "host": "text", "died": "nanoseconds or null", "times": "integer"},
    "left rank": {"rank": "rank of any run", "error": "error or null", "times": "integer"},
    "not scheduled": {"node": "text", "because": "text"},
    "scheduler failed": {"node": "text", "error": "error"},
    "job failed": {"job": "job id", "of": "text", "description": "text", "aborted": "error or null"},
    "cancelled": {"reason": "text or null"},
    "dependency failed": {},
    "stopped": {"running": "true or false", "why": "reason of a stop", "error": "error or null"},
    "nobody left": {"unfinished": "integer", "gone": "integer", "stuck": "list of ranks of any run"},
    "workflow failed": {"count": "integer", "errors": "list of errors"},
}  # fmt: skip

#: What a fault of each kind says.
FAULT_FIELDS: dict[str, dict[str, str]] = {
    "died": {},
    "killed": {"job": "text or null"},
    "interrupted": {},
    "paused": {"ns": "nanoseconds"},
    "slowed": {"factor": "number"},
    "delayed": {"to": "rank", "ns": "nanoseconds"},
    "other": {"said": "text"},
}

#: What a frame holds: the file, the line, and the function.
FRAME = ("text", "integer", "text")
#: No traceback has more errors, and no error more frames.
MOST_FRAMES = 20

#: The texts that stand for a status, and others of which there are only some.
STATUSES: dict[str, tuple[str, ...]] = {
    "pool status": tuple(status.value for status in PoolStatus),
    "job status": tuple(status.value for status in JobStatus),
    "end of an overdue job": ("interrupted", "running", "silent"),
    "reason of a stop": ("failure", "raised", "unexecuted", "closed"),
}

#: No context of a trace is nested deeper, and no run has more ranks.
DEEPEST, MOST_RANKS = 50, 1_000_000


def describe(value: Any, depth: int = DEEPEST) -> Any:
    """Convert a value to JSON data that is the same on every machine and in every process.

    Numbers, texts, lists and mappings are kept; a set becomes a sorted list; anything else becomes its `repr`, without
    memory addresses, cut at 200 characters. So does whatever is nested deeper than `depth`.

    :param value: any object.
    :param depth: how many levels of lists and mappings are kept.
    :returns: data that `json` can write.

    >>> from bsbpool.trace import describe
    >>> describe({"chunk": (1, 2), "names": {"granule", "golgi"}, "what": object()})
    {'chunk': [1, 2], 'names': ['golgi', 'granule'], 'what': '<object object>'}
    """
    if value is None or isinstance(value, bool | int | str):
        return scrub(value) if isinstance(value, str) else value
    try:
        if isinstance(value, float):
            return value if value - value == 0 else repr(value)
        if depth > 0:
            if isinstance(value, list | tuple):
                return [describe(v, depth - 1) for v in value]
            if isinstance(value, set | frozenset):
                return sorted((describe(v, depth - 1) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
            if isinstance(value, Mapping):
                return {scrub(text_of(k)): describe(v, depth - 1) for k, v in value.items()}
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return scrub(text)


def traced_error(how: str, error: Error, frames: Sequence[tuple[str, int, str]], portable: bool = False) -> TracedError:
    """An error of a traceback as a trace has it; see `bsbpool.tracebacks`.

    :param portable: the same on every machine and Python: files by their place in a folder of `sys.path`, and no frames
        of Python's own library.
    """
    if portable:
        frames = [
            (_in_path(file), line, function)
            for file, line, function in frames
            if not _of_python(file) and not function.endswith(_INLINED)
        ]
    return TracedError(how, error, tuple(Frame(harmless(file), line, harmless(name)) for file, line, name in frames))


def as_json(value: Any) -> Any:
    """A value of an event as JSON has it."""
    kind = type(value)
    if kind is TracedError:
        return {"how": value.how, "error": as_json(value.error), "frames": [[*frame] for frame in value.frames]}
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value] if value and type(value[0]) not in (int, str) else value
    if (kind_of := getattr(kind, "kind", None)) is not None:
        return {"kind": kind_of, **{field.name: as_json(getattr(value, field.name)) for field in fields(value)}}
    return value


#: Functions that only some Pythons have.
_INLINED = ("<listcomp>", "<dictcomp>", "<setcomp>")


def _of_python(file: str) -> bool:
    return file.startswith(("<frozen ", os.path.dirname(os.__file__) + os.sep)) and "site-packages" not in file


def _in_path(file: str) -> str:
    places = [each.rstrip(os.sep) + os.sep for each in (*sys.path, os.getcwd()) if each]
    found = max((each for each in places if file.startswith(each)), key=len, default="")
    return file[len(found) :]


class Successes:
    """The kind of event, in a recorder that folds, that stands for a row of `FOLDED`'s successes.

    Such an event is a row behind its kind, as a file has it: its time counts from `start` of the recorder already, and
    the next job is ``"null"`` if there is none.

    :param pool: the pool's label.
    """

    __slots__ = ("pool",)

    def __init__(self, pool: int | str):
        self.pool = pool


def unfold(event: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The events for which one of `FOLDED` stands."""
    if event[0] == "queued":
        _, t, pool, jobs = event
        return [JobStatusChanged("status", t, pool, job, "queued", None, None) for job in jobs]
    _, _, pool, rows = event
    events: list[tuple[Any, ...]] = []
    for t, rank, job, since, took, running in rows:
        started = t + since
        events.append(OutcomeReceived("message", t, pool, rank, job, started, started + took))
        events.append(JobStatusChanged("status", t, pool, job, "success", rank, None))
        if running is not None:
            events.append(JobStatusChanged("status", t, pool, running, "running", rank, None))
    return events


class Trace:
    """The trace of a run: a header, and the events in the order in which they happened.

    `events` has a record for each event; see `bsbpool.trace.events`. Iterating gives each event as a dictionary, like a
    line of the file: ``t`` (nanoseconds), ``e`` (the kind) and the fields that `EVENTS` lists for this kind; lists of
    numbers may be tuples.

    :param header: the entries of the first line, which describe the run; the version of the format is added.
    :ivar header: the first line.
    :ivar warnings: problems of the file that it was read from which did not prevent reading it.

    >>> from bsbpool_sim import simulate
    >>> import bsbpool
    >>> def program(comm):
    ...     with bsbpool.job_pool(comm) as pool:
    ...         if pool.is_main():
    ...             pool.queue(lambda owner: None, submitter="golgi")
    ...         pool.execute()
    >>> trace = simulate(program, ranks=2).trace
    >>> [(event["t"], event["status"], event["rank"]) for event in trace.of("status")]
    [(0, 'queued', None), (0, 'running', 1), (0, 'success', 1)]
    """

    def __init__(self, header: Mapping[str, Any]):
        self.warnings: list[str] = []
        self.header: dict[str, Any] = {"trace": "bsbpool", "version": VERSION, **header}
        self._events: list[Any] = []
        # What was recorded of a run and nobody has looked at yet, as recorders have it: most traces of simulations are
        # never read, and to make their records is a tenth of what they cost.
        self._noted: list[tuple[Any, ...]] = []

    def append(self, event: tuple[Any, ...]) -> None:
        """Add an event.

        :param event: its record, or its kind, its time in nanoseconds, then its fields in the order of `EVENTS`.
        :raises TypeError: there are too few fields, or too many.
        """
        self.events.append(record_of(event))

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(_as_dict, self.events)

    @property
    def events(self) -> list[Event]:
        """The records of the events, in order."""
        if self._noted:
            for event in self._noted:
                kind = event[0]
                if type(kind) is Successes:
                    row = event[1:] if event[-1] != "null" else (*event[1:-1], None)
                    self._events += unfold(("succeeded", event[1], kind.pool, [row]))
                elif kind in FOLDED:
                    self._events += unfold(event)
                else:
                    self._events.append(MAKE[kind](event))
            self._noted.clear()
        return self._events

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the events of some kinds, in order.

        :param kinds: names of kinds, see `EVENTS`.
        :returns: the events as dictionaries.
        """
        return [_as_dict(e) for e in self.events if e[0] in kinds]

    def lines(self) -> Iterator[str]:
        """Give the lines of the file.

        :returns: an iterator of lines of JSON, without line ends.
        """
        dumps = json.JSONEncoder(separators=(",", ":")).encode
        yield dumps(self.header)
        for event in self.events:
            yield dumps(_as_dict(event))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the trace to a file; `bsbpool.trace.read_trace` reads it.

        :param path: the file; it is compressed if its name ends in ``.gz``, and replaced if it exists.
        :raises OSError: it can't be written.
        """
        with open(path, "wb") as as_json:
            self.write_to(as_json, packed=os.fspath(path).endswith(".gz"))

    def write_to(self, file: Any, *, packed: bool) -> None:
        """Write the trace to an open file.

        :param file: a file that is open for writing bytes.
        :param packed: whether to compress it, as gzip.
        """
        lines = (line.encode() + b"\n" for line in self.lines())
        if packed:
            import gzip  # here, and not with `import bsbpool`

            # Neither a name nor a time in it: equal traces, equal files.
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream:
                stream.writelines(lines)
        else:
            file.writelines(lines)

    def digest(self) -> str:
        """Return the SHA-256 of the lines, which equal traces share.

        :returns: 64 hexadecimal digits.
        """
        sha = hashlib.sha256()
        for line in self.lines():
            sha.update(line.encode())
            sha.update(b"\n")
        return sha.hexdigest()


def fields_of(event: tuple[Any, ...]) -> dict[str, Any]:
    """The fields of an event by their names, with ``t`` and ``e``; errors and faults as their records."""
    return {"t": event[1], "e": event[0], **dict(zip(EVENTS[event[0]], event[2:], strict=True))}


def _as_dict(event: tuple[Any, ...]) -> dict[str, Any]:
    kind = event[0]
    names = ("e", "t", *EVENTS[kind])
    told = {name: value if type(value) in _PLAIN else as_json(value) for name, value in zip(names, event, strict=True)}
    return {"t": told.pop("t"), **told}


_PLAIN = (int, str, bool, type(None), dict)
