"""Prints uncaught exceptions where several ranks share one terminal.

Python writes a traceback in pieces, and a launcher forwards each piece at once, so that tracebacks of several ranks get
mixed. With this hook, each rank writes its traceback in one piece. A rank whose error only refers to main writes one
line. Hooks of the program are not replaced.
"""

from __future__ import annotations

import io
import sys
from types import TracebackType

from ..exceptions import WorkflowError
from .launcher import rank_of_process


def print_at_once() -> None:
    """Install the hook, unless this process has a hook of its own."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _print


def _print(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    text = uncaught_text(kind, error, trace, rank_of_process())
    if sys.stderr is not None:  # a process may have closed it
        sys.stderr.write(text)
        sys.stderr.flush()


def uncaught_text(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None, rank: int | None
) -> str:
    """What a rank is to print: as Python's own hook, or one line where main has all to tell."""
    if isinstance(error, WorkflowError) and error.reported_by_main:
        return f"rank {rank}: {kind.__module__}.{kind.__qualname__}: main, rank 0, raises what failed\n"
    whole = io.StringIO()
    stderr, sys.stderr = sys.stderr, whole
    try:
        sys.__excepthook__(kind, error, trace)
    finally:
        sys.stderr = stderr
    return whole.getvalue()
