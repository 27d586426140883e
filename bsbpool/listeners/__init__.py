"""Listeners that show a pool's progress to a person: a live view in a terminal, a few lines in a log.

They decide nothing about jobs, and a pool runs the same without them. What they count is in `tally`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..pool.progress import PoolProgress
from .log import LogProgress
from .terminal import Terminal, TerminalProgress

__all__ = ["LogProgress", "TerminalProgress", "progress_listener"]


def progress_listener() -> tuple[Callable[[PoolProgress], Any], float | None]:
    """What shows progress best here: a view in a terminal, else lines in a log.

    :returns: a listener, and its maximal wait in seconds, for `JobPool.add_listener`.

    >>> import bsbpool
    >>> from bsbpool.listeners import LogProgress, progress_listener
    >>> with bsbpool.job_pool(quiet=True) as pool:
    ...     pool.add_listener(*progress_listener())  # what a pool does that is not quiet
    ...     pool.add_listener(LogProgress())  # lines in the log, also in a terminal
    """
    console = Terminal(stderr=True)
    if console.is_terminal:
        return TerminalProgress(console), 1.0
    return LogProgress(), None
