"""Reading traces: turns a file that anybody may have sent into a `Trace`, or says where it is wrong.

Nothing of the file is trusted. What a line has to hold is data in `format`; a line that holds anything else is an
error, with its number. Only an end that is missing (the run was killed, the file cut) is no error: what is there
is read, with a warning. No code of the file runs, and what it makes this process allocate is bounded.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from ..exceptions import TraceError
from ..facts import DEEPEST_ERROR, ERRORS, FAULTS, MOST_ERRORS
from ..text import harmless
from ..worlds.opening import open_to_read
from .events import MAKE, Event, Frame, TracedError
from .format import (
    DEEPEST,
    ERROR_FIELDS,
    EVENTS,
    FAULT_FIELDS,
    FIELDS,
    FOLDED,
    FRAME,
    MOST_FRAMES,
    MOST_RANKS,
    ROW,
    STATUSES,
    VERSION,
    Trace,
    unfold,
)
from .malformed import DECODER, MISSING, Malformed, should_be, shown_json
from .version_1 import FIELDS_1, Upgrade

__all__ = ["MOST_BYTES", "MOST_EVENTS", "read_events", "read_trace"]

#: No line and no trace has more bytes (unpacked), and no trace more events.
LONGEST_LINE, MOST_BYTES, MOST_EVENTS = 16 * 2**20, 4 * 2**30, 20_000_000

#: A compressed trace unpacks to this many times its size at the most; what is not larger than a MB may do so anyway.
#: Those of large runs unpack to 30 times their size. It keeps a small file from costing much.
MOST_UNPACKED, ANYWAY = 200, 2**20

#: No number of a trace is as large; 2**63 nanoseconds are 292 years.
_TOO_LARGE = 2**63

_NO_OBJECT: dict[str, Any] = {}


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """Read a trace. If the end of the file is missing, the trace ends there, with a text in its `warnings`.

    :param path: the file, compressed or not.
    :returns: the trace.
    :raises TraceError: the file can't be read, or is no trace of a version that this one knows.

    >>> from bsbpool.trace import read_trace
    >>> night = read_trace("docs/night/night.trace")
    >>> night.header["ranks"], len(night)
    (4, 489)
    >>> [str(event.error) for event in night.events if event.e == "status" and event.status == "failed"]
    ['ZeroDivisionError: division by zero']
    """
    traces: list[Trace] = []

    def begin(header: dict[str, Any]) -> Callable[[Event], None]:
        traces.append(Trace(header))
        return traces[0].events.append

    warnings = read_events(path, begin)
    traces[0].warnings = warnings
    return traces[0]


def read_events(path: str | os.PathLike[str], begin: Callable[[dict[str, Any]], Callable[[Event], None]]) -> list[str]:
    """Read a trace event by event, without keeping it: a large one takes gigabytes of memory.

    :param path: the file, compressed or not.
    :param begin: called with the header; returns what is called with the record of each event, in order.
    :returns: problems of the file that did not prevent reading it; see `Trace.warnings`.
    :raises TraceError: the file can't be read, or is no trace of a version that this one knows. Events that came before
        the line that is wrong have been handed over then.
    """
    name = os.fspath(path)
    try:
        with open_to_read(name) as file:
            magic = file.peek(2)[:2]
            if magic != b"\x1f\x8b":
                return _Reader(name, file).read(begin)
            import gzip  # here, and not with `import bsbpool`

            packed = _Counting(file)
            with gzip.GzipFile(fileobj=packed) as unpacked:  # type: ignore[call-overload]
                return _Reader(name, unpacked, packed).read(begin)
    except OSError as error:
        raise TraceError(name, None, f"it can't be read: {error.strerror or error}") from None


class _Counting:
    """Reads a file, and counts the bytes."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        return data


class _Reader:
    """Reads one file."""

    def __init__(self, path: str, file: Any, packed: _Counting | None = None):
        self._path = path
        self._file: BinaryIO = file
        self._packed = packed
        self._warnings: list[str] = []
        self._line = 0
        # Each text that occurs again and again is kept once.
        self._texts: dict[str, str] = {}
        self._unsafe = 0
        self._ranks = 0
        # By pool: how many jobs it has.
        self._jobs: dict[int | str, int] = {}
        # By kind and pool: the jobs that folded events had. Each has a job once, or a line could stand for any number.
        self._folded: dict[tuple[str, int | str], set[int]] = {}
        self._unknown: dict[str, int] = {}
        self._rules: dict[str, list[Any]] = {}
        self._types: dict[str, str] = FIELDS
        # Makes of an event of an older version what it is in this one.
        self._upgrade: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None
        self._depth = 0

    def read(self, begin: Callable[[dict[str, Any]], Callable[[Event], None]]) -> list[str]:
        lines = self._lines()
        first = next(lines, MISSING)
        if first is MISSING:
            raise TraceError(self._path, None, "the file is empty; a trace begins with a line " + _FIRST)
        try:
            append: Callable[[Any], None] = begin(self._header(first))
            parse, make, count = self._event, MAKE, 0
            for line in lines:
                event = parse(line)
                if event is not None:
                    if self._upgrade is not None:
                        event = self._upgrade(event)
                    if event[0] in FOLDED:
                        self._check_folded(event)
                        for each in unfold(event):
                            if not all(abs(value) < _TOO_LARGE for value in each[1:] if type(value) is int):
                                raise Malformed(
                                    "a time of a row is too large, less than 2**63 nanoseconds would be right"
                                )
                            append(each)
                            count += 1
                    else:
                        append(make[event[0]](event))
                        count += 1
                    if count > MOST_EVENTS:
                        raise Malformed(f"there are more than {MOST_EVENTS:,} events, the most that are read")
        except Malformed as wrong:
            raise TraceError(self._path, self._line, str(wrong)) from None
        if self._unsafe:
            texts = "text was" if self._unsafe == 1 else "texts were"
            self._warn(f"{self._unsafe} {texts} too long, or held control characters: they are cut, or written out")
        for kind, times in self._unknown.items():
            self._warn(f"{times} of kind {kind!r} left out: a newer version knows what they mean")
        return self._warnings

    def _warn(self, what: str) -> None:
        self._warnings.append(f"{self._path}: {what}")

    # -- lines -------------------------------------------------------------------------------------

    def _lines(self) -> Iterator[Any]:
        """Each line, parsed. Ends before one that is not whole."""
        size = 0
        readline, loads = self._file.readline, DECODER.decode
        while True:
            try:
                line = readline(LONGEST_LINE + 1)
            except (EOFError, zlib.error, OSError) as error:
                if not self._line:
                    raise TraceError(self._path, None, f"it can't be unpacked: {error}") from None
                self._warn(f"it can't be unpacked after line {self._line} ({error}): the rest is missing")
                return
            if not line:
                return
            self._line += 1
            size += len(line)
            if len(line) > LONGEST_LINE:
                raise TraceError(
                    self._path, self._line, f"the line has more than {LONGEST_LINE:,} bytes, so this is no trace"
                )
            if size > MOST_BYTES:
                raise TraceError(
                    self._path, self._line, f"there are more than {MOST_BYTES:,} bytes, the most that are read"
                )
            if self._packed is not None and size > ANYWAY + MOST_UNPACKED * self._packed.count:
                raise TraceError(
                    self._path,
                    self._line,
                    f"it unpacks to more than {MOST_UNPACKED} times its size, which no trace of a run does; "
                    "if you trust it, unpack it with gunzip, and give that",
                )
            try:
                yield loads(line.decode())
            except Malformed as wrong:
                raise TraceError(self._path, self._line, str(wrong)) from None
            except RecursionError:
                raise TraceError(self._path, self._line, f"values are nested deeper than {DEEPEST}") from None
            except ValueError as error:
                if self._line > 1 and not line.endswith(b"\n"):
                    self._warn(
                        f"it ends in the midst of line {self._line}: the run was killed, or the file was cut; "
                        "what came before is read"
                    )
                    return
                why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                what = "a trace begins with " + _FIRST if self._line == 1 else "each line is a JSON object"
                raise TraceError(self._path, self._line, f"this is no JSON ({harmless(why)}); {what}") from None

    # -- the header ----------------------------------------------------------------------------------

    def _header(self, header: Any) -> dict[str, Any]:
        if not isinstance(header, dict) or header.get("trace") != "bsbpool":
            raise Malformed("this is no trace of bsbpool: it begins with " + _FIRST)
        version = header.get("version")
        if type(version) is not int or version < 1:
            raise Malformed(f"its version is {shown_json(version)}; it should be an integer, {VERSION} at the most")
        if version > VERSION:
            raise Malformed(
                f"it is of version {shown_json(version)} of the format, and this bsbpool reads version {VERSION}: "
                "install a newer one (pip install -U bsbpool)"
            )
        ranks = header.get("ranks")
        if type(ranks) is not int or not 1 <= ranks <= MOST_RANKS:
            raise Malformed(f"ranks is {shown_json(ranks)}; it should be their number, from 1 to {MOST_RANKS:,}")
        self._ranks = ranks
        hosts = header.get("hosts")
        if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts) or len(hosts) > ranks:
            raise Malformed(
                f"hosts is {shown_json(hosts)}; it should be a list of texts, one for each rank, or one for all"
            )
        cleaned: dict[str, Any] = self._clean(header)
        if version == 1:
            self._types = FIELDS | FIELDS_1
            self._upgrade = Upgrade(ranks)
        self._rules = {
            kind: [
                (field, self._rule_for(wanted), field == "pool", _jobs_named(wanted))
                for field, wanted in ((field, self._type(kind, field)) for field in fields)
            ]
            for kind, fields in (EVENTS | FOLDED).items()
        }
        return {**cleaned, "version": VERSION}

    # -- events ----------------------------------------------------------------------------------------

    def _event(self, event: Any) -> tuple[Any, ...] | None:
        """An event as a `Trace` keeps it; None for one of a kind that a newer version has."""
        if type(event) is not dict:
            raise Malformed(
                f"this is {shown_json(event)}; it should be an object, with t and e and the fields of an event"
            )
        kind, t = event.get("e"), event.get("t", MISSING)
        if type(t) is not int or not 0 <= t < _TOO_LARGE:
            raise should_be(t, "t", "nanoseconds")
        if type(kind) is not str:
            raise should_be(event.get("e", MISSING), "e", f"the kind of event, such as {', '.join([*EVENTS][:3])}")
        rules = self._rules.get(kind)
        if rules is None:
            kind = harmless(kind)
            if kind not in self._unknown and len(self._unknown) == 20:
                raise Malformed(f"there are more than 20 kinds of events that are none: {shown_json(kind)}")
            self._unknown[kind] = self._unknown.get(kind, 0) + 1
            return None
        values: list[Any] = [kind, t]
        jobs = -1
        for field, rule, is_pool, jobs_named in rules:
            value = event.get(field, MISSING)
            try:
                value = rule(value)
            except Malformed as wrong:
                wanted = self._type(kind, field)
                if not wrong.args:
                    raise should_be(value, field, wanted, kind) from None
                raise (
                    Malformed(f"{field} of {kind!r}: {wrong}") if "error" in wanted or wanted == "fault" else wrong
                ) from None
            if is_pool:
                if kind == "pool":
                    if value in self._jobs:
                        raise Malformed(f"pool {shown_json(value)} is opened a second time; each has an id of its own")
                    self._jobs[value] = 0
                jobs = self._jobs.get(value, -1)
                if jobs < 0:
                    raise Malformed(f"pool {shown_json(value)} was not opened: an event of kind pool comes first")
            elif jobs_named is not None and value is not None:
                if field == "job" and kind == "job":
                    if value != jobs:
                        raise Malformed(
                            f"job is {shown_json(value)}; it should be {jobs}, since ids count the jobs of a pool"
                        )
                    self._jobs[values[2]] += 1
                else:
                    for job in jobs_named(value):
                        if job >= jobs:
                            raise Malformed(f"{field} names job {shown_json(job)}, and only {jobs} were queued by then")
            values.append(value)
        return tuple(values)

    def _check_folded(self, event: tuple[Any, ...]) -> None:
        """Each job becomes queued, and succeeds, once.

        :raises Malformed: one does so again.
        """
        kind, _, pool, jobs = event
        ids = jobs if kind == "queued" else [row[2] for row in jobs]
        known = self._folded.setdefault((kind, pool), set())
        count = len(known)
        known.update(ids)
        if len(known) - count != len(ids):
            raise Malformed(f"a job is {kind} a second time; rows of {kind!r} have each job once")

    def _type(self, kind: str, field: str) -> str:
        types = self._types
        return types.get(f"{kind}.{field}") or types[field]

    def _rule_for(self, wanted: str) -> Callable[[Any], Any]:
        """What checks a value of a type: gives it as it is kept, or raises."""
        if wanted == "list of rows":
            return self._rows([*map(self._rule_for, ROW)])
        if wanted.endswith(" or null"):
            rule = self._rule_for(wanted.removesuffix(" or null"))
            return lambda value: None if value is None else rule(value)
        if wanted in STATUSES:
            kept = {status: status for status in STATUSES[wanted]}
            return lambda value: kept[value] if type(value) is str and value in kept else _wrong()
        return {
            "nanoseconds": _natural,
            "nanoseconds on the rank's clock": _integer,
            "bytes": _natural,
            "job id": _natural,
            "integer": _integer,
            "rank": self._rank,
            "number of ranks": lambda value: self._rank(value - 1) + 1 if type(value) is int else _wrong(),
            "true or false": lambda value: value if type(value) is bool else _wrong(),
            "text": self._text,
            "integer or text": lambda value: _integer(value) if type(value) is int else self._text(value),
            "object": lambda value: self._clean(value) or _NO_OBJECT if type(value) is dict else _wrong(),
            "list of texts": lambda value: [*map(self._text, value)] if type(value) is list else _wrong(),
            "list of integers": lambda value: tuple(map(_integer, value)) if type(value) is list else _wrong(),
            "number": lambda value: value if type(value) in (int, float) else _wrong(),
            "error": lambda value: self._fact(value, ERRORS, ERROR_FIELDS),
            "fault": lambda value: self._fact(value, FAULTS, FAULT_FIELDS),
            "list of errors": self._list(lambda value: self._fact(value, ERRORS, ERROR_FIELDS), MOST_ERRORS),
            "list of traced errors": self._list(self._traced, MOST_ERRORS),
            "rank of any run": _rank_of_any_run,
            "list of ranks of any run": self._list(_rank_of_any_run, MOST_RANKS),
            "list of job ids": lambda value: tuple(map(_natural, value)) if type(value) is list else _wrong(),
        }[wanted]

    def _rows(self, rules: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
        def row(values: Any) -> tuple[Any, ...]:
            if type(values) is not list or len(values) != len(rules):
                raise Malformed
            return tuple([rule(value) for rule, value in zip(rules, values, strict=True)])

        return lambda rows: tuple(map(row, rows)) if type(rows) is list else _wrong()

    @staticmethod
    def _list(rule: Callable[[Any], Any], most: int) -> Callable[[Any], Any]:
        return lambda value: tuple(map(rule, value)) if type(value) is list and len(value) <= most else _wrong()

    def _fact(self, value: Any, kinds: Mapping[str, Any], types: Mapping[str, Mapping[str, str]]) -> Any:
        """An error or a fault, of one of these kinds with these fields."""
        if type(value) is not dict:
            raise Malformed
        kind = value.get("kind", MISSING)
        if type(kind) is not str or kind not in kinds:
            raise should_be(kind, "kind of an error or a fault", f"one of {', '.join(kinds)}")
        if self._depth == DEEPEST_ERROR:
            raise Malformed(f"errors are within each other more than {DEEPEST_ERROR} deep")
        self._depth += 1
        said = []
        for field, wanted in types[kind].items():
            each = value.get(field, MISSING)
            try:
                said.append(self._rule_for(wanted)(each))
            except Malformed as wrong:
                if wrong.args:
                    raise
                raise should_be(each, field, wanted, kind) from None
        self._depth -= 1
        return kinds[kind](*said)

    def _traced(self, value: Any) -> TracedError:
        if type(value) is not dict or type(frames := value.get("frames")) is not list or len(frames) > MOST_FRAMES:
            raise Malformed
        rules = [*map(self._rule_for, FRAME)]
        told = []
        for frame in frames:
            if type(frame) is not list or len(frame) != len(rules):
                raise Malformed
            told.append(Frame(*(rule(each) for rule, each in zip(rules, frame, strict=True))))
        error = self._rule_for("error" if self._upgrade is None else "text")(value.get("error"))
        return TracedError(self._text(value.get("how")), error, tuple(told))

    def _rank(self, value: Any) -> int:
        if type(value) is int and 0 <= value < self._ranks:
            return value
        raise Malformed

    def _text(self, value: Any) -> str:
        if type(value) is not str:
            raise Malformed
        kept = self._texts.get(value)
        if kept is None:
            kept = harmless(value)
            self._unsafe += kept is not value and kept != value
            if len(self._texts) < 100_000:
                self._texts[kept] = kept
        return kept

    def _clean(self, value: Any, depth: int = 0) -> Any:
        """A value of any kind, with texts made harmless."""
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is int:
            return value if -_TOO_LARGE < value < _TOO_LARGE else harmless(str(value))
        if kind is not dict and kind is not list:
            return value
        if depth > DEEPEST:
            raise Malformed(f"values are nested deeper than {DEEPEST}")
        if kind is list:
            return [self._clean(each, depth + 1) for each in value]
        return {self._text(key): self._clean(each, depth + 1) for key, each in value.items()}


_FIRST = f'{{"trace":"bsbpool","version":{VERSION},…}}'


def _jobs_named(wanted: str) -> Callable[[Any], Iterable[int]] | None:
    """What gives the jobs that a field of that type names; None if it names none."""
    if wanted == "list of rows":
        places = [number for number, each in enumerate(ROW) if each.startswith("job id")]
        return lambda rows: [row[place] for row in rows for place in places if row[place] is not None]
    if wanted.startswith("list of job ids"):
        return lambda jobs: jobs
    return (lambda job: (job,)) if wanted.startswith("job id") else None


def _wrong() -> Any:
    raise Malformed


def _natural(value: Any) -> int:
    if type(value) is int and 0 <= value < _TOO_LARGE:
        return value
    raise Malformed


def _rank_of_any_run(value: Any) -> int:
    if type(value) is int and 0 <= value < MOST_RANKS:
        return value
    raise Malformed


def _integer(value: Any) -> int:
    if type(value) is int and -_TOO_LARGE < value < _TOO_LARGE:
        return value
    raise Malformed
