"""The trace format: JSON Lines, a header and then an event a line.

Everything that a trace can say stands in `EVENTS`; what writes, reads or draws traces goes by that
table. How and when events come about does not belong here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..engine.status import JobStatus, PoolStatus
from ..text import harmless
from ..values import text_of

#: Version of the format; grows when a reader of the old one would misread the new one.
VERSION = 1

#: Each kind of event with the names of its fields, in order; ``t`` (nanoseconds) comes before them.
EVENTS: dict[str, tuple[str, ...]] = {
    # a pool was opened on main
    "pool": ("pool", "ranks", "fail_fast", "phases"),
    # it is BSB's own pool: what that does not announce to its listeners, the trace does not have
    "announced": ("pool",),
    # its ranks get no job ahead of time: with this MPI only one thread may send
    "one_at_a_time": ("pool",),
    # its idle ranks get what becomes ready at once
    "idle_first": ("pool",),
    # it has one rank, on which schedulers and jobs take turns
    "in_turn": ("pool",),
    # a job that is lost with its rank runs again, so many times
    "retries": ("pool", "times"),
    "pool_status": ("pool", "status"),
    # a job was queued: its kind (class), name, context, the ids of jobs that it depends on, its cache items
    "job": ("pool", "job", "kind", "name", "context", "deps", "cache"),
    # a job got a time limit, in nanoseconds, or (null) has none any more
    "limit": ("pool", "job", "ns"),
    # a job changed its status; rank: where it runs or ran; error: what it ended with
    "status": ("pool", "job", "status", "rank", "error"),
    # main received a job's outcome from a rank; started, ended: nanoseconds of that rank's clock
    "message": ("pool", "rank", "job", "started", "ended"),
    # main learned that a rank is there to run jobs
    "ready": ("pool", "rank"),
    # the most memory that a rank's process has had grew, by the end of a job that ran there (real ranks only)
    "memory": ("pool", "rank", "job", "peak"),
    # a rank gave back jobs that it was sent ahead and had not started
    "returned": ("pool", "rank", "jobs"),
    # somebody tried to cancel a job; done: whether it was cancelled
    "cancel": ("pool", "job", "reason", "done"),
    # before that, of a job that was sent ahead: its rank is asked for it; and has started it already
    "call_back": ("pool", "rank", "job", "reason"),
    "started": ("pool", "rank", "job"),
    # when the pool stopped early, a rank did not say in time which of the jobs that it was sent ahead it has started
    "unanswered": ("pool", "rank"),
    # a job that is past its limit could not be interrupted: its rank gets no more jobs until it has ended
    "stuck": ("pool", "rank", "job"),
    # jobs are given out again, after listeners have heard of a failure, or of such a cancellation
    "resumed": ("pool",),
    # where the error was raised of which the next event tells, and its causes; of: that event's kind
    "traceback": ("pool", "job", "of", "errors"),
    # somebody set a job's status by hand, or runs it on main
    "by_hand": ("pool", "job", "status", "error"),
    "ping": ("pool",),
    # what a rank took into its cache while it ran a job, and what it freed before one (null: at the end)
    "cached": ("pool", "rank", "job", "items"),
    "freed": ("pool", "rank", "job", "items"),
    # schedule() was called, with so many nodes
    "schedule": ("pool", "nodes"),
    # the scheduler of one of these calls (from 0) began with a node, and ended with it
    "scheduling": ("pool", "node", "scheduler"),
    "scheduled": ("pool", "node", "error", "scheduler"),
    # main learned that a rank is gone
    "lost": ("pool", "rank", "error"),
    # no listener handled an error, of a job or (null) of something else: execute() is to raise it
    "unhandled": ("pool", "job", "error"),
    # something that is no job raised while the pool executed: a listener, a callback, Ctrl-C
    "raised": ("pool", "error"),
    # main leaves the pool, and has not executed it; error: what the program raised
    "unexecuted": ("pool", "error"),
    # execute() ended on main; error: what it raised
    "end": ("pool", "error"),
    # a message of the program's own, as its receiver got it (simulated ranks only)
    "receive": ("rank", "source", "tag", "size"),
    # what a script did to a rank
    "fault": ("rank", "what"),
}

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
    "errors": "list of errors",
    "kind": "text",
    "name": "text",
    "context": "object",
    "deps": "list of job ids",
    "cache": "list of integers",
    "rank": "rank",
    "status.rank": "rank or null",
    "error": "text or null",
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
    "what": "text",
}

#: What an error of a traceback holds: how it belongs to the one before it, type and message, and its frames.
ERROR: dict[str, str] = {"how": "text", "error": "text", "frames": "list of frames"}
#: What a frame holds: the file, the line, and the function.
FRAME = ("text", "integer", "text")
#: No traceback has more errors, and no error more frames.
MOST_ERRORS, MOST_FRAMES = 8, 20

#: The texts that stand for a status.
STATUSES: dict[str, tuple[str, ...]] = {
    "pool status": tuple(status.value for status in PoolStatus),
    "job status": tuple(status.value for status in JobStatus),
}

#: No context of a trace is nested deeper, and no run has more ranks.
DEEPEST, MOST_RANKS = 50, 1_000_000

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def describe(value: Any, depth: int = DEEPEST) -> Any:
    """`value` as JSON that is the same on every machine and in every process.

    Numbers, texts, lists and mappings stay what they are; a set becomes a sorted list; anything else its
    `repr`, without memory addresses and cut at 200 characters. So does what is nested deeper than `depth`.

    :returns: what `json.dumps` takes.

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


def scrub(text: str) -> str:
    """`text` without memory addresses, on one line, with no control characters, cut at 200 characters."""
    if " at 0x" in text:
        text = _ADDRESS.sub("", text)
    return harmless(text)


def describe_error(error: BaseException | None) -> str | None:
    """An error as a trace has it: its type and message, on one line."""
    if error is None:
        return None
    try:
        message = " ".join(str(error).split())
    except Exception as why:
        message = f"(its text raises {type(why).__name__})"
    return scrub(f"{type(error).__name__}: {message}" if message else type(error).__name__)


def error_as_json(
    how: str, error: str, frames: Sequence[tuple[str, int, str]], portable: bool = False
) -> dict[str, Any]:
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
    told = [[harmless(file), line, harmless(function)] for file, line, function in frames]
    return {"how": how, "error": harmless(error), "frames": told}


#: Functions that only some Pythons have.
_INLINED = ("<listcomp>", "<dictcomp>", "<setcomp>")


def _of_python(file: str) -> bool:
    return file.startswith(("<frozen ", os.path.dirname(os.__file__) + os.sep)) and "site-packages" not in file


def _in_path(file: str) -> str:
    places = [each.rstrip(os.sep) + os.sep for each in (*sys.path, os.getcwd()) if each]
    found = max((each for each in places if file.startswith(each)), key=len, default="")
    return file[len(found) :]


def unfold(event: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The events for which one of `FOLDED` stands."""
    if event[0] == "queued":
        _, t, pool, jobs = event
        return [("status", t, pool, job, "queued", None, None) for job in jobs]
    _, _, pool, rows = event
    events: list[tuple[Any, ...]] = []
    for t, rank, job, since, took, running in rows:
        started = t + since
        events.append(("message", t, pool, rank, job, started, started + took))
        events.append(("status", t, pool, job, "success", rank, None))
        if running is not None:
            events.append(("status", t, pool, running, "running", rank, None))
    return events


class Trace:
    """What happened: a header, and events in the order in which they happened.

    Iterating gives each event as a dictionary with ``t`` (nanoseconds), ``e`` (the kind) and the fields
    that `EVENTS` lists for it; lists of numbers may be tuples.

    :param header: what its first line says of the run.

    :ivar header: the first line.
    :ivar warnings: what is wrong with the file that it was read from, if that could be read all the same.

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
        # (kind, t, *fields): a tuple costs a third of a dictionary, and a large run has a million events.
        self._events: list[tuple[Any, ...]] = []
        #: adds an event: its kind, its time in nanoseconds, then its fields in the order of `EVENTS`.
        self.append = self._events.append

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(_as_dict, self._events)

    @property
    def tuples(self) -> Sequence[tuple[Any, ...]]:
        """The events as they are kept: kind, t, and the fields in the order of `EVENTS`."""
        return self._events

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of some kinds.

        :param kinds: names of `EVENTS`.
        :returns: them, in the order in which they happened.
        """
        return [_as_dict(e) for e in self._events if e[0] in kinds]

    def lines(self) -> Iterator[str]:
        """The lines of the file.

        :returns: them, the header first, without line ends.
        """
        dumps = json.JSONEncoder(separators=(",", ":")).encode
        yield dumps(self.header)
        for event in self._events:
            yield dumps(_as_dict(event))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file; `bsbpool.trace.read_trace` reads it.

        :param path: where; the file is compressed if its name ends in ``.gz``.
        :raises OSError: it can't be written.
        """
        with open(path, "wb") as plain:
            self.write_to(plain, packed=os.fspath(path).endswith(".gz"))

    def write_to(self, file: Any, *, packed: bool) -> None:
        """Write it into a binary file that is open.

        :param file: has `write` and `writelines`.
        :param packed: whether it is compressed, as gzip.
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
        """Tell traces apart.

        :returns: the SHA-256 of the lines, in hexadecimal: equal for equal traces only.
        """
        sha = hashlib.sha256()
        for line in self.lines():
            sha.update(line.encode())
            sha.update(b"\n")
        return sha.hexdigest()


def _as_dict(event: tuple[Any, ...]) -> dict[str, Any]:
    kind = event[0]
    return {"t": event[1], "e": kind, **dict(zip(EVENTS[kind], event[2:], strict=True))}
