"""The output, log records and warnings of a test on simulated ranks, told apart by rank while they run.

What reports make of them is in `rank_reports`.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.capture import CaptureFixture, CaptureResult, SysCapture
from greenlet import getcurrent

from ..kernel import Task
from .rank_reports import RANK


class Router(io.TextIOBase):
    """Replaces a stream: forwards all output, and keeps a copy of what each simulated rank wrote.

    :param stream: what it replaces; None: nobody is to have the output.
    """

    def __init__(self, stream: Any = None):
        self._stream = io.StringIO() if stream is None else stream
        self._counts = stream is not None
        self.by_rank: dict[int, list[str]] = {}
        #: how many characters the stream got from it that it replaces.
        self.forwarded = 0

    def write(self, text: str) -> int:
        task = getcurrent()
        if isinstance(task, Task):
            self.by_rank.setdefault(task.rank.index, []).append(text)
        if self._counts:
            self.forwarded += len(text)
        return int(self._stream.write(text) or 0)

    def flush(self) -> None:
        # Python flushes a stream again when it is garbage-collected; by then pytest has closed its file.
        if not self._stream.closed:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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
        routers = [sys.stdout, sys.stderr]
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


def capture_of_rank(value: Any, rank: int) -> RankCapture | None:
    """Return what a rank has in place of `capsys`; None for all other values."""
    if not isinstance(value, CaptureFixture) or value.captureclass is not SysCapture:
        return None
    return RankCapture(value, rank)


class _NoCapture:
    """Replaces a capture fixture, so that subtests capture nothing: on ranks they do not end in reverse order."""

    def _suspend(self) -> None:
        """Nothing."""

    _resume = _start = close = _suspend

    def _is_started(self) -> bool:
        return True


@contextlib.contextmanager
def told_apart(item: pytest.Function) -> Iterator[list[Router]]:
    """Context in which the output, log records and warnings of ranks are recorded by rank."""
    plugins = item.config.pluginmanager
    capturing: Any = plugins.get_plugin("capturemanager")
    log: Any = getattr(plugins.get_plugin("logging-plugin"), "report_handler", None)
    streams = sys.stdout, sys.stderr, getattr(log, "stream", None)
    routers = [Router(stream) for stream in streams]
    warn = warnings.showwarning

    def showwarning(message: Any, *args: Any, **kwargs: Any) -> None:
        task = getcurrent()
        if isinstance(task, Task) and isinstance(message, Warning):
            setattr(message, RANK, task.rank.index)
        warn(message, *args, **kwargs)

    hidden = "subtests" in item.fixturenames and getattr(capturing, "_capture_fixture", log) is None
    sys.stdout, sys.stderr = routers[:2]
    warnings.showwarning = showwarning
    if log is not None:
        log.stream = routers[2]
    if hidden:
        capturing._capture_fixture = _NoCapture()
    try:
        yield routers
    finally:
        sys.stdout, sys.stderr = streams[:2]
        warnings.showwarning = warn
        if log is not None:
            log.stream = streams[2]
        if hidden:
            capturing._capture_fixture = None
