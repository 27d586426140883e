"""What each simulated rank of a test sets for itself in Python: settings of `warnings` and `logging`, and the standard
streams.

Each phase of a test (setup, call, teardown) begins with the warnings and streams from outside of the ranks, as pytest
does it in each process. What a rank has set in `logging` persists from test to test, as its modules do, and it gets
what changes outside. What the ranks have written is kept in `rank_output`, and their modules in `own_modules`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from greenlet import getcurrent

from ..cluster import Cluster
from ..kernel import Task
from ..python.logs import follow_outside, logging_of_ranks
from ..python.process import PROCESS, Common, Process, current_process
from ..python.warning_settings import own_warnings, warnings_of_ranks
from .rank_output import streams_of_ranks
from .rank_reports import RANK


def processes_of_ranks(size: int) -> list[Process]:
    """What so many ranks keep from phase to phase, of which they have set nothing yet."""
    return [Process(Common(_nothing), _owns_nothing, {}, {}, "") for _ in range(size)]


def undo_what_is_over() -> None:
    """Undo what tests have set that are over, on the rank that runs."""
    process = current_process()
    while process is not None and process.undo:
        process.undo.pop(0)()


def _nothing() -> None:
    """No rank has a working directory of its own."""


def _owns_nothing(_: dict[str, Any]) -> bool:
    return False  # what ranks register for the end of the process is called at its end


@contextmanager
def settings_of_ranks(
    config: pytest.Config, cluster: Cluster, processes: list[Process] | None = None
) -> Iterator[None]:
    """While entered, each rank of a cluster has its own. Warnings that reach those from outside name their rank.

    :param processes: what they have set before; None: nothing.
    """
    processes = processes or processes_of_ranks(len(cluster.kernel.ranks))
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    handlers = [each for each in [getattr(plugin, "caplog_handler", None)] if each is not None]
    show = warnings.showwarning

    def showwarning(message: Any, *args: Any, **kwargs: Any) -> None:
        task = getcurrent()
        if isinstance(task, Task) and isinstance(message, Warning):
            setattr(message, RANK, task.rank.index)
        show(message, *args, **kwargs)

    for rank, process in zip(cluster.kernel.ranks, processes, strict=True):
        own_warnings(rank)
        follow_outside(process)
        rank.kept[PROCESS] = process
    warnings.showwarning = showwarning
    try:
        with warnings_of_ranks(), streams_of_ranks(), logging_of_ranks(handlers):
            yield
    finally:
        warnings.showwarning = show
