"""Recording: adds events to a trace, with their times. It makes no decisions, and calls nothing of the pool.

The clock, the lock and the name of the file come from a world.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import groupby
from operator import itemgetter
from typing import Any

from ..frames import warn
from ..text import harmless
from .format import EVENTS, FOLDED, Successes, Trace, as_json, describe_error

#: Maximal number of events that are buffered while main neither waits nor calls the program's code.
MOST_BEHIND = 256


#: Maximal number of jobs in one line of the file.
MOST_FOLDED = 1000

#: Version of the files with calls.
CALLS_VERSION = 1

#: Bytes of calls of jobs that have ended, at the most, in the file with those that run, beyond as many as run.
MOST_STALE = 2**20


class Sink:
    """Interface of recorders: receives events in order.

    :param now: the clock: integer nanoseconds.
    """

    #: whether events are written to a file, so that `keep_up` has to be called.
    writes = False
    #: whether it accepts folded events, `bsbpool.trace.format.FOLDED`.
    folds = False
    #: time of its clock, in nanoseconds, at which the trace begins.
    start = 0
    #: whether equal runs must have equal traces on all machines and versions of Python.
    portable = False
    #: whether ranks report their peak memory.
    measures = False
    #: keeps the packed call of a job that failed: its pool's label, its id, name, and a function that packs the call.
    capture: Callable[[int | str, int, str, Callable[[], bytes]], None] | None = None
    #: keeps it as long as the job has not ended, in case that nobody is left to say what became of it: takes what
    #: `capture` takes, and a function that tells whether it has ended.
    precaution: Callable[[int | str, int, str, Callable[[], bytes], Callable[[], bool]], None] | None = None

    def __init__(self, now: Callable[[], int], append: Callable[[tuple[Any, ...]], None]):
        self.now = now
        #: records an event that has its time already: kind, t, fields.
        self.record = append
        # By label: how many pools wanted it.
        self._labels: dict[int | str, int] = {}

    def emit(self, kind: str, *fields: Any) -> None:
        """Record an event now.

        :param kind: the kind of event.
        :param fields: its fields, in the order of `bsbpool.trace.EVENTS`.
        """
        self.record((kind, self.now(), *fields))

    def label(self, id: Any) -> int | str:
        """Give a pool a name in the trace that no other pool of the trace has.

        :param id: the id of the pool, as `describe` gives it.
        :returns: the name.
        """
        label = id if isinstance(id, int | str) and not isinstance(id, bool) else json.dumps(id)
        label = harmless(label) if isinstance(label, str) else label
        count = self._labels[label] = self._labels.get(label, 0) + 1
        return label if count == 1 else self.label(f"{label} #{count}")

    def keep_up(self) -> None:
        """Write buffered events if there are many. Main calls it regularly."""

    def settle(self) -> None:
        """Write all buffered events: this process may end at any moment from now on."""

    def rest(self) -> None:
        """Complete the file after a pool has closed, since no other pool may follow."""

    def stop(self) -> None:
        """Record nothing from now on: the run has ended, and only its clean-up follows."""
        self.record = _forget


class Recorder(Sink):
    """Collects the events of a simulation in a `Trace`.

    :param header: what the first line of the trace says of the run.
    :param now: returns the time in nanoseconds.
    :ivar trace: the trace.

    >>> from bsbpool.trace import Recorder
    >>> recorder = Recorder({"ranks": 2}, now=lambda: 5)
    >>> recorder.emit("ping", 1)
    >>> [*recorder.trace]
    [{'t': 5, 'e': 'ping', 'pool': 1}]
    """

    portable = folds = True

    def __init__(self, header: Mapping[str, Any], now: Callable[[], int]):
        self.trace = Trace(header)
        super().__init__(now, self.trace._noted.append)


class Several(Sink):
    """Forwards the events of one pool to several recorders.

    :param label: what the pool is called here, and by each of them.
    """

    def __init__(self, sinks: Sequence[Sink], label: Any, labels: Sequence[int | str]):
        self._sinks = [*zip(sinks, labels, strict=True)]
        self._label = label
        self.portable = any(sink.portable for sink in sinks)
        self.writes = any(sink.writes for sink in sinks)
        self.measures = any(sink.measures for sink in sinks)
        super().__init__(sinks[0].now, self._hand_on)
        if any(sink.capture is not None for sink in sinks):
            self.capture = self._capture
            self.precaution = self._precaution

    def _hand_on(self, event: tuple[Any, ...]) -> None:
        kind, t, _, *fields = event
        for sink, label in self._sinks:
            sink.record((kind, t, label, *fields))

    def _capture(self, label: int | str, *job: Any) -> None:
        for sink, own in self._sinks:
            if sink.capture is not None:
                sink.capture(own, *job)

    def _precaution(self, label: int | str, *job: Any) -> None:
        for sink, own in self._sinks:
            if sink.precaution is not None:
                sink.precaution(own, *job)

    def label(self, id: Any) -> Any:
        return self._label

    def keep_up(self) -> None:
        for sink, _ in self._sinks:
            sink.keep_up()

    def settle(self) -> None:
        for sink, _ in self._sinks:
            sink.settle()

    def rest(self) -> None:
        for sink, _ in self._sinks:
            sink.rest()


class FileRecorder(Sink):
    """Writes events to a file as they happen.

    Events are collected, which costs next to nothing, and written when main is about to wait or to call somebody
    else's code (`settle`), or when there are many (`keep_up`). What is written stays, however this process ends.

    :param file: a file descriptor to write to; at its end.
    :param path: its name.
    :param header: what the trace's first line says of the run.
    :param now: the clock: integer nanoseconds.
    :param start: the time of that clock at which the trace begins.
    :param lock: keeps the tasks of this rank apart.
    :param calls: a file descriptor to write the calls of failed jobs to.
    """

    writes = folds = True

    def __init__(
        self,
        file: int,
        path: str,
        header: Mapping[str, Any],
        now: Callable[[], int],
        start: int,
        lock: AbstractContextManager[Any],
        calls: int | None = None,
    ):
        self._events: list[tuple[Any, ...]] = []
        super().__init__(now, self._events.append)
        self.start = start
        self.path = path
        self.measures = not header.get("simulated", False)
        self._file = file
        self._lock = lock
        self._lines = _Lines(start)
        self._packer: Any = None
        self._closed = False
        self._packs = path.endswith(".gz")
        self._calls = calls
        self._kept: set[tuple[int | str, int]] = set()
        self._running = _RunningCalls(running_path(path))
        if calls is not None:
            self.capture = self._keep_call
            self.precaution = self._keep_running
        first = Trace(header).header
        self._write((json.dumps(first, separators=(",", ":")) + "\n").encode())
        if calls is not None:
            about = (json.dumps(calls_header(first, path), separators=(",", ":")) + "\n").encode()
            self._running.header = about
            _write_all(calls, about)

    def keep_up(self) -> None:
        if len(self._events) >= MOST_BEHIND:
            self.settle()

    def settle(self) -> None:
        with self._lock:  # first of all: another task may be about to write what is no longer in the list
            count = len(self._events)
            if not count:
                return
            events = self._events[:count]
            del self._events[:count]
            try:
                self._write(self._lines(events))
            except Exception as error:
                self._give_up(error)

    def rest(self) -> None:
        self.settle()
        with self._lock:
            if self._calls is not None:
                self._running.tidy()
            if self._packer is not None:
                packer, self._packer = self._packer, None
                try:
                    _write_all(self._file, packer.flush())
                except OSError as error:
                    self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Handle an error of writing, such as a full disk: warn and stop recording; the run continues."""
        self.stop()
        self._packer = None
        warn(f"The trace {self.path} ends here, since it can't be written: {describe_error(error)}")

    def close(self) -> None:
        """Write the buffered events, and close the file."""
        if self._closed:
            return
        self._closed = True
        self.rest()
        self.stop()
        for file in (self._file, self._calls):
            if file is not None:
                os.close(file)
        self._calls = None
        self.capture = self.precaution = None

    def _write(self, data: bytes) -> None:
        if self._packs:
            if self._packer is None:
                self._packer = zlib.compressobj(1, wbits=31)
            # A full flush, so that a reader can unpack all of it even if what follows is lost.
            data = self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        _write_all(self._file, data)

    def _keep_call(self, label: int | str, job: int, name: str, pack: Callable[[], bytes]) -> None:
        if self._calls is None or (label, job) in self._kept:
            return
        try:
            call = _call(label, job, name, pack)
        except Exception as error:
            warn(f"The call of job {job} is not kept: {describe_error(error)}")
            return
        self._kept.add((label, job))  # one that was lost with its rank may be tried again, and fail again
        try:
            _write_all(self._calls, call)
        except OSError as error:
            self.capture = None  # what came after half a call could not be read
            warn(
                f"No more calls of failed jobs are kept beside {self.path}, since they can't be written: "
                f"{describe_error(error)}"
            )

    def _keep_running(
        self, label: int | str, job: int, name: str, pack: Callable[[], bytes], ended: Callable[[], bool]
    ) -> None:
        try:
            call = _call(label, job, name, pack)
        except Exception:
            return  # it can't travel either, so that it fails before it runs
        with self._lock:
            try:
                self._running.add((label, job), call, ended)
            except OSError as error:
                self.precaution = None
                warn(
                    f"The calls of jobs that run are not kept beside {self.path}, since they can't be written: "
                    f"{describe_error(error)}"
                )


class _RunningCalls:
    """The file with the calls of running jobs: it remains if a job ends its rank, and thereby the whole run.

    Calls are added before their jobs may run. Those of jobs that have ended are left out when they come to more than
    the others, so that the file stays small and each call is written twice on average.

    :param path: its name; it exists while jobs run, and after a run that was killed.
    :ivar header: its first line.
    """

    def __init__(self, path: str):
        self._path = path
        self.header = b""
        self._file: int | None = None
        self._calls: dict[tuple[int | str, int], tuple[bytes, Callable[[], bool]]] = {}
        self._size = self._limit = 0

    def add(self, which: tuple[int | str, int], call: bytes, ended: Callable[[], bool]) -> None:
        """Write down a call. `which` is the pool and the job; `ended` tells whether the job has ended.

        :raises OSError: it can't be written.
        """
        if self._file is None or self._size > self._limit:
            self._begin_again()
        assert self._file is not None
        _write_all(self._file, call)
        self._calls.pop(which, None)  # one that is tried again
        self._calls[which] = call, ended
        self._size += len(call)

    def _begin_again(self) -> None:
        """Write a new file with the calls of the jobs that have not ended, and replace the old one atomically."""
        self._calls = {which: each for which, each in self._calls.items() if not each[1]()}
        data = b"".join([self.header, *(call for call, _ in self._calls.values())])
        new = self._path + ".new"
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(file, data)
            os.replace(new, self._path)
        except OSError:
            os.close(file)
            raise
        if self._file is not None:
            os.close(self._file)
        self._file, self._size, self._limit = file, len(data), MOST_STALE + 2 * len(data)

    def tidy(self) -> None:
        """Remove the file if all of its jobs have ended."""
        if self._file is not None and all(ended() for _, ended in self._calls.values()):
            os.close(self._file)
            self._file = None
            self._calls.clear()
            with suppress(OSError):
                os.unlink(self._path)


def running_path(path: str) -> str:
    """Return the path of the file with the calls of running jobs; `path` is that of the trace."""
    return f"{path}.calls.running"


def _call(label: int | str, job: int, name: str, pack: Callable[[], bytes]) -> bytes:
    """Return the line of a call in the files with calls."""
    call = pack()
    line = {"pool": label, "job": job, "name": harmless(name), "bytes": len(call)}
    return (json.dumps(line, separators=(",", ":")) + "\n").encode() + call + b"\n"


def calls_header(header: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the first line of the file with the calls of failed jobs that belongs to a trace."""
    return {"calls": "bsbpool", "version": CALLS_VERSION, "trace": os.path.basename(path), "run": header.get("run")}


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


_text = json.encoder.encode_basestring_ascii
_encode = json.JSONEncoder(separators=(",", ":")).encode


class _Lines:
    """Converts events to lines, which is most of the cost of recording: the frequent kinds are formatted by hand.

    :param start: the time from which those of the lines count.
    """

    def __init__(self, start: int):
        self._start = start

    def __call__(self, events: list[tuple[Any, ...]]) -> bytes:
        start = self._start
        lines: list[str] = []
        for kind, alike in groupby(events, _kind):
            if type(kind) is Successes:
                lines.append(self._succeeded(kind.pool, [*alike]))
            elif kind == "status":
                lines += [
                    f'{{"t":{t - start},"e":"status","pool":{pool if type(pool) is int else _text(pool)},"job":{job},'
                    f'"status":"{status}","rank":{"null" if rank is None else rank},'
                    f'"error":{"null" if error is None else _encode(as_json(error))}}}\n'
                    for _, t, pool, job, status, rank, error in alike
                ]
            elif kind == "job":
                lines += [
                    f'{{"t":{t - start},"e":"job","pool":{pool if type(pool) is int else _text(pool)},"job":{job},'
                    f'"kind":{_text(cls)},"name":{_text(name)},"context":{_encode(dict(context)) if context else "{}"},'
                    f'"deps":{_encode(deps) if deps else "[]"},"cache":{_encode(cache) if cache else "[]"}}}\n'
                    for _, t, pool, job, cls, name, context, deps, cache in alike
                ]
            else:
                lines += map(self._line, alike)
        return "".join(lines).encode()

    def _succeeded(self, pool: int | str, events: list[tuple[Any, ...]]) -> str:
        """Return one line for all of them. One formatting operation is faster than one for each row."""
        numbers: list[Any] = []
        for event in events:
            numbers += event[1:]
        rows = ",[%s,%s,%s,%s,%s,%s]" * len(events) % tuple(numbers)
        return f'{{"t":{events[0][1]},"e":"succeeded","pool":{_encode(pool)},"rows":[{rows[1:]}]}}\n'

    def _line(self, event: tuple[Any, ...]) -> str:
        kind, t, *fields = event
        if kind == "message":
            fields[-2:] = [at - self._start for at in fields[-2:]]
        names = FOLDED.get(kind) or EVENTS[kind]
        said = ",".join(f'"{name}":{_encode(as_json(value))}' for name, value in zip(names, fields, strict=True))
        return f'{{"t":{t - self._start},"e":"{kind}",{said}}}\n'


_kind = itemgetter(0)


def _forget(event: tuple[Any, ...]) -> None:
    pass
