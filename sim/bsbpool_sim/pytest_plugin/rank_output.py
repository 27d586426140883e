"""The output and log records of a test on simulated ranks, told apart by rank while they run, and what `capsys`,
`recwarn`, `caplog` and `monkeypatch` are on a rank.

What reports make of them is in `rank_reports`.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click
import pytest
from _pytest.capture import CaptureFixture, CaptureResult, SysCapture
from greenlet import getcurrent

from ..kernel import Task
from ..python.process import Process, current_process, reclassed
from .rank_reports import RANK


class Router(io.TextIOBase):
    """Replaces a stream: forwards all output, and keeps a copy of what each simulated rank wrote.

    :param stream: what it replaces; None: nobody is to have the output.
    """

    def __init__(self, stream: Any = None):
        self._stream = io.StringIO() if stream is None else stream
        self._counts = stream is not None
        self.by_rank: dict[int, list[str]] = {}
        #: what ranks have put in its place, as `contextlib.redirect_stdout` does.
        self.instead: dict[int, Any] = {}
        #: the ranks that write to that now; it may write to this one in turn, as `tee` does.
        self._within: set[int] = set()
        #: how many characters the stream got from it that it replaces.
        self.forwarded = 0

    def write(self, text: str) -> int:
        task = getcurrent()
        if isinstance(task, Task):
            rank = task.rank.index
            if rank in self.instead and rank not in self._within:  # Python's `print` finds this stream all the same
                self._within.add(rank)
                try:
                    return int(self.instead[rank].write(text) or 0)
                finally:
                    self._within.discard(rank)
            self.by_rank.setdefault(rank, []).append(text)
        if self._counts:
            self.forwarded += len(text)
        return int(self._stream.write(text) or 0)

    def flush(self) -> None:
        # Python flushes a stream again when it is garbage-collected; by then pytest has closed its file.
        if not self._stream.closed:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def streams_of_ranks() -> Iterator[None]:
    """While active, a rank that sets `sys.stdout` or `sys.stderr` sets its own, if a router is there."""
    undo = reclassed(sys, {name: _stream(name) for name in ("stdout", "stderr")})
    try:
        yield
    finally:
        undo()


def _stream(name: str) -> property:
    def get(self: Any) -> Any:
        stream, task = self.__dict__[name], getcurrent()
        if isinstance(task, Task) and isinstance(stream, Router):
            return stream.instead.get(task.rank.index, stream)
        return stream

    def put(self: Any, value: Any) -> None:
        stream, task = self.__dict__[name], getcurrent()
        if not isinstance(task, Task) or not isinstance(stream, Router):
            self.__dict__[name] = value
        elif value is stream:
            stream.instead.pop(task.rank.index, None)
        else:
            stream.instead[task.rank.index] = value

    return property(get, put)


class RankCapture:
    """pytest's `capsys` for one rank: it reads what this rank has written.

    :param capture: the fixture, which captures what all ranks write.
    """

    def __init__(self, capture: Any, rank: int):
        self._capture, self._rank = capture, rank
        self._before: tuple[str, str] | None = None
        #: the routers that it has read from, and how many texts of each.
        self._read: dict[Any, int] = {}

    def readouterr(self) -> Any:
        """Return what this rank has written since it last asked, and at first what was written before the test."""
        routers = [sys.__dict__[name] for name in ("stdout", "stderr")]  # not what the rank has in their place
        if not all(isinstance(each, Router) for each in routers):
            return self._capture.readouterr()
        outside = self._before_ranks(routers)
        both = zip(self._before or outside, map(self._new, routers), strict=True)
        self._before = "", ""
        return CaptureResult(*(before + text for before, text in both))

    @contextlib.contextmanager
    def disabled(self) -> Iterator[None]:
        """Let all output through meanwhile."""
        streams = sys.stdout, sys.stderr
        try:
            with self._capture.disabled():
                yield
        finally:
            sys.stdout, sys.stderr = streams  # pytest sets its own

    def _before_ranks(self, routers: list[Any]) -> tuple[str, str]:
        """Take what is captured, so that it is not shown again; return what was there before the ranks began."""
        known: tuple[str, str] | None = getattr(self._capture, "_before_ranks", None)
        taken = self._capture.readouterr()
        if known is None:
            out, err = (text[: max(len(text) - r.forwarded, 0)] for text, r in zip(taken, routers, strict=True))
            known = self._capture._before_ranks = out, err
        return known

    def _new(self, router: Any) -> str:
        texts = router.by_rank.get(self._rank, [])
        done, self._read[router] = self._read.get(router, 0), len(texts)
        return "".join(texts[done:])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._capture, name)


def _is_of(recorded: Any, rank: int) -> bool:
    """Whether a warning or a record is of a rank, or was there before the ranks ran."""
    return bool(getattr(recorded, RANK, rank) == rank)


class RankWarnings(pytest.WarningsRecorder):
    """pytest's `recwarn` for one rank: the warnings of this rank, and those before the ranks ran.

    :param recorder: the fixture, which records the warnings of all ranks.
    """

    def __init__(self, recorder: pytest.WarningsRecorder, rank: int):
        self._own: list[Any] = []
        self._recorder, self._rank = recorder, rank
        #: how many of all warnings it has looked at.
        self._seen = 0
        super().__init__(_ispytest=True)

    @property
    def _list(self) -> list[Any]:
        new = self._recorder.list[self._seen :]
        self._seen += len(new)
        self._own += [each for each in new if _is_of(each.message, self._rank)]
        return self._own

    @_list.setter
    def _list(self, value: list[Any]) -> None:
        """Pytest's class begins with none."""


class RankLog:
    """pytest's `caplog` for one rank: the records of this rank, and those before the ranks ran.

    Levels and filters that it sets are those of the rank.

    :param log: the fixture, which has the records of all ranks.
    """

    def __init__(self, log: pytest.LogCaptureFixture, rank: int):
        self._log, self._rank = log, rank
        #: has what levels were before this rank has set them; None: it has set none.
        self._own: pytest.LogCaptureFixture | None = None

    @property
    def records(self) -> list[logging.LogRecord]:
        """The records of this rank."""
        return self._of(self._log.records)

    @property
    def record_tuples(self) -> list[tuple[str, int, str]]:
        """Name of the logger, level and message of each of them."""
        return [(each.name, each.levelno, each.getMessage()) for each in self.records]

    @property
    def messages(self) -> list[str]:
        """The message of each of them."""
        return [each.getMessage() for each in self.records]

    @property
    def text(self) -> str:
        """What the handler makes of them."""
        return click.unstyle("".join(f"{self._log.handler.format(each)}\n" for each in self.records))

    def get_records(self, when: Any) -> list[logging.LogRecord]:
        """The records of this rank in a phase of the test."""
        return self._of(self._log.get_records(when))

    def clear(self) -> None:
        """Forget the records of this rank."""
        records = self._log.records
        records[:] = [each for each in records if not _is_of(each, self._rank)]

    def set_level(self, level: Any, logger: Any = None) -> None:
        """Set a level on this rank until the test is over."""
        process, item = current_process(), self._log._item
        if self._own is None and process is not None:
            self._own = pytest.LogCaptureFixture(item, _ispytest=True)
            item.addfinalizer(
                functools.partial(process.pending.append, functools.partial(_reset, self._own, self._log.handler))
            )
        (self._own or self._log).set_level(level, logger)

    def _of(self, records: Iterable[logging.LogRecord]) -> list[logging.LogRecord]:
        return [each for each in records if _is_of(each, self._rank)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def _reset(log: pytest.LogCaptureFixture, handler: logging.Handler) -> None:
    """Set levels as they were before; the test has no handler any more."""
    if log._initial_handler_level is not None:
        handler.setLevel(log._initial_handler_level)
        log._initial_handler_level = None
    log._finalize()


def names_rank(record: logging.LogRecord) -> bool:
    """A filter that notes in a record which rank it is of."""
    task = getcurrent()
    if isinstance(task, Task):
        setattr(record, RANK, task.rank.index)
    return True


class RankPatch:
    """pytest's `monkeypatch` for one rank: what it changes in the environment and the working directory is the rank's.

    :param patch: the fixture.
    """

    def __init__(self, patch: Any, process: Process):
        self._patch, self._own = patch, pytest.MonkeyPatch()
        # The fixture undoes what is shared when it is over; the rank undoes its own when it next runs.
        undone = vars(patch).get("_of_ranks")
        if undone is None:
            undone = patch._of_ranks = []
            patch.undo = functools.partial(_undo_all, patch)
        undone.append((process, self._own))

    def setenv(self, name: str, value: str, prepend: str | None = None) -> None:
        """Set a variable of the environment of this rank."""
        self._own.setenv(name, value, prepend)

    def delenv(self, name: str, raising: bool = True) -> None:
        """Delete a variable of the environment of this rank."""
        self._own.delenv(name, raising)

    def chdir(self, path: Any) -> None:
        """Change the working directory of this rank."""
        self._own.chdir(path)

    def setitem(self, dic: Any, name: Any, value: Any) -> None:
        """Set an item of a dictionary."""
        self._for(dic).setitem(dic, name, value)

    def delitem(self, dic: Any, name: Any, raising: bool = True) -> None:
        """Delete an item of a dictionary."""
        self._for(dic).delitem(dic, name, raising)

    def undo(self) -> None:
        """Undo what this rank has changed of its own, and what all ranks have changed else."""
        self._own.undo()
        type(self._patch).undo(self._patch)

    def _for(self, dic: Any) -> Any:
        return self._own if type(dic) is type(vars(os)["environ"]) else self._patch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._patch, name)


def _undo_all(patch: Any) -> None:
    """What `undo` of the fixture does outside of the ranks, when it is over."""
    for process, own in reversed(patch._of_ranks):
        process.pending.append(own.undo)
    patch._of_ranks.clear()
    type(patch).undo(patch)


def value_of_rank(value: Any, rank: int) -> RankCapture | RankWarnings | RankLog | RankPatch | None:
    """Return what a rank has in place of `capsys`, `recwarn`, `caplog` or `monkeypatch`; None for all other values."""
    if type(value) is pytest.MonkeyPatch and (process := current_process()) is not None:
        return RankPatch(value, process)
    if isinstance(value, CaptureFixture) and value.captureclass is SysCapture:
        return RankCapture(value, rank)
    if type(value) is pytest.WarningsRecorder:
        return RankWarnings(value, rank)
    if isinstance(value, pytest.LogCaptureFixture):
        return RankLog(value, rank)
    return None


class _NoCapture:
    """Replaces a capture fixture, so that subtests capture nothing: on ranks they do not end in reverse order."""

    def _suspend(self) -> None:
        """Nothing."""

    _resume = _start = close = _suspend

    def _is_started(self) -> bool:
        return True


@contextlib.contextmanager
def told_apart(item: pytest.Function) -> Iterator[list[Router]]:
    """Context in which the output and log records of ranks are recorded by rank."""
    plugins = item.config.pluginmanager
    capturing: Any = plugins.get_plugin("capturemanager")
    log: Any = getattr(plugins.get_plugin("logging-plugin"), "report_handler", None)
    streams = sys.stdout, sys.stderr, getattr(log, "stream", None)
    routers = [Router(stream) for stream in streams]
    hidden = "subtests" in item.fixturenames and getattr(capturing, "_capture_fixture", log) is None
    sys.stdout, sys.stderr = routers[:2]
    if log is not None:
        log.stream = routers[2]
    if hidden:
        capturing._capture_fixture = _NoCapture()
    try:
        yield routers
    finally:
        sys.stdout, sys.stderr = streams[:2]
        if log is not None:
            log.stream = streams[2]
        if hidden:
            capturing._capture_fixture = None
