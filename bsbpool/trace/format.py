"""The trace format: JSON Lines, a header and then an event a line.

Everything that a trace can say stands in `EVENTS`; what writes, reads or draws traces goes by that
table. How and when events come about does not belong here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: Version of the format; grows when a reader of the old one would misread the new one.
VERSION = 1

#: Each kind of event with the names of its fields, in order; ``t`` (nanoseconds) comes before them.
EVENTS: dict[str, tuple[str, ...]] = {
    # a pool was opened on main
    "pool": ("pool", "ranks", "fail_fast", "phases"),
    "pool_status": ("pool", "status"),
    # a job was queued: its kind (class), name, context, the ids of jobs that it depends on, its cache items
    "job": ("pool", "job", "kind", "name", "context", "deps", "cache"),
    # a job changed its status; rank: where it runs or ran; error: what it ended with
    "status": ("pool", "job", "status", "rank", "error"),
    # main received a job's outcome from a rank; started, ended: nanoseconds of that rank's clock
    "message": ("pool", "rank", "job", "started", "ended"),
    # a rank gave back jobs that it was sent ahead and had not started
    "returned": ("pool", "rank", "jobs"),
    # somebody tried to cancel a job; done: whether it was cancelled
    "cancel": ("pool", "job", "reason", "done"),
    "ping": ("pool",),
    # what a rank took into its cache while it ran a job, and what it freed before one (null: at the end)
    "cached": ("pool", "rank", "job", "items"),
    "freed": ("pool", "rank", "job", "items"),
    # a scheduler began with a node, and ended with it
    "scheduling": ("pool", "node"),
    "scheduled": ("pool", "node", "error"),
    # main learned that a rank is gone
    "lost": ("pool", "rank", "error"),
    # execute() ended on main; error: what it raised
    "end": ("pool", "error"),
    # a message of the program's own, as its receiver got it (simulated ranks only)
    "receive": ("rank", "source", "tag", "size"),
    # what a script did to a rank
    "fault": ("rank", "what"),
}

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_LONGEST = 200


def describe(value: Any) -> Any:
    """`value` as JSON that is the same on every machine and in every process.

    Numbers, texts, lists and mappings stay what they are; a set becomes a sorted list; anything else its
    `repr`, without memory addresses and cut at 200 characters.
    """
    if value is None or isinstance(value, bool | int | str):
        return scrub(value) if isinstance(value, str) else value
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    if isinstance(value, list | tuple):
        return [describe(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((describe(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    if isinstance(value, Mapping):
        return {scrub(str(k)): describe(v) for k, v in value.items()}
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return scrub(text)


def scrub(text: str) -> str:
    """`text` without memory addresses, cut at 200 characters."""
    if " at 0x" in text:
        text = _ADDRESS.sub("", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def describe_error(error: BaseException | None) -> str | None:
    """An error as a trace has it: its type and message, on one line."""
    if error is None:
        return None
    try:
        message = " ".join(str(error).split())
    except Exception as why:
        message = f"(its text raises {type(why).__name__})"
    return scrub(f"{type(error).__name__}: {message}" if message else type(error).__name__)


class Trace:
    """What happened: a header, and events in the order in which they happened.

    Iterating gives each event as a dictionary with ``t`` (nanoseconds), ``e`` (the kind) and the fields
    that `EVENTS` lists for it.
    """

    def __init__(self, header: Mapping[str, Any]):
        self.header: dict[str, Any] = {"trace": "bsbpool", "version": VERSION, **header}
        # (kind, t, *fields): a tuple costs a third of a dictionary, and a large run has a million events.
        self._events: list[tuple[Any, ...]] = []
        #: adds an event: its kind, its time in nanoseconds, then its fields in the order of `EVENTS`.
        self.append = self._events.append

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(_as_dict, self._events)

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of these kinds, in order."""
        return [_as_dict(e) for e in self._events if e[0] in kinds]

    def lines(self) -> Iterator[str]:
        """The lines of the file, without line ends."""
        dumps = json.JSONEncoder(separators=(",", ":")).encode
        yield dumps(self.header)
        for event in self._events:
            yield dumps(_as_dict(event))

    def digest(self) -> str:
        """The SHA-256 of the lines, in hexadecimal: equal for equal traces only."""
        sha = hashlib.sha256()
        for line in self.lines():
            sha.update(line.encode())
            sha.update(b"\n")
        return sha.hexdigest()


def _as_dict(event: tuple[Any, ...]) -> dict[str, Any]:
    kind = event[0]
    return {"t": event[1], "e": kind, **dict(zip(EVENTS[kind], event[2:], strict=True))}
