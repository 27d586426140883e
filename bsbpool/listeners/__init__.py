"""Listeners that show a pool's progress: a live view in a terminal, lines in a log.

They do not influence jobs; a pool runs the same without them. The counting is in `tally`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..pool.progress import PoolProgress
from ..worlds.terminal_width import environment_of_consoles
from .log import LogProgress
from .terminal import Terminal, TerminalProgress

__all__ = ["LogProgress", "TerminalProgress", "progress_listener"]


def progress_listener() -> tuple[Callable[[PoolProgress], Any], float | None]:
    """Choose the listener that shows progress here: a live view in a terminal, otherwise lines in a log.

    :returns: the listener, and its maximal wait in seconds (None: the pool's).

    >>> import bsbpool
    >>> from bsbpool.listeners import LogProgress, progress_listener
    >>> with bsbpool.job_pool(quiet=True) as pool:
    ...     pool.add_listener(*progress_listener())  # what a pool does that is not quiet
    ...     pool.add_listener(LogProgress())  # lines in the log, also in a terminal
    """
    console = Terminal(stderr=True, _environ=environment_of_consoles())
    if console.is_terminal:
        return TerminalProgress(console), 1.0
    return LogProgress(), None
