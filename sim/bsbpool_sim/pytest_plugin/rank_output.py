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
from greenlet import getcurrent

from ..kernel import Task
from .rank_reports import RANK


class Router(io.TextIOBase):
    """Replaces a stream: forwards all output, and keeps a copy of what each simulated rank wrote."""

    def __init__(self, stream: Any):
        self._stream = stream
        self.by_rank: dict[int, list[str]] = {}

    def write(self, text: str) -> int:
        task = getcurrent()
        if isinstance(task, Task):
            self.by_rank.setdefault(task.rank.index, []).append(text)
        return int(self._stream.write(text) or 0)

    def flush(self) -> None:
        # Python flushes a stream again when it is garbage-collected; by then pytest has closed its file.
        if not self._stream.closed:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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
