"""What Python prints of an exception that nobody caught, where several ranks share one terminal.

Python writes a traceback piece by piece, and a launcher passes on each piece as it comes, so that those of several
ranks end up in each other. Here each rank writes its own at once. A rank that only says that main raises the errors
writes one line. Hooks of the program's own are left alone.
"""

from __future__ import annotations

import io
import sys
from types import TracebackType

from ..exceptions import WorkflowError
from .launcher import rank_of_process


def print_at_once() -> None:
    """From now on this process prints uncaught exceptions at once, unless it has a hook of its own for them."""
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
