"""What each simulated rank of a test sets for itself in Python: settings of `warnings` and `logging`, the standard
streams, the environment, and the working directory.

Each phase of a test (setup, call, teardown) begins with the warnings and streams from outside of the ranks, as pytest
does it in each process. What else a rank has set persists from test to test, as its modules do, and it gets what
changes outside. What the ranks have written is kept in `rank_output`, and their modules in `own_modules`.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest
from greenlet import getcurrent

from ..cluster import Cluster
from ..kernel import Task
from ..python.logs import follow_outside, logging_of_ranks
from ..python.process import PROCESS, Common, Process, current_process, environment, environments
from ..python.warning_settings import own_warnings, warnings_of_ranks
from ..tasks import Rank
from .rank_output import names_rank, streams_of_ranks
from .rank_reports import RANK


class _Common(Common):
    """What so many ranks have in common, and what was outside of them when they last ran."""

    def __init__(self) -> None:
        super().__init__(self._move)
        self.environment = environment()
        self.folder = os.getcwd()
        #: whether any of them may be in another folder.
        self.moved = False

    def _move(self) -> None:
        self.moved = True

    def follow(self, processes: list[Process], handlers: list[logging.Handler]) -> None:
        """Let ranks have what was changed outside since, once they have undone what tests have set that are over.

        :param handlers: what pytest adds to the root logger in each phase.
        """
        before, self.environment = self.environment, environment()
        names = [n for n in before.keys() | self.environment.keys() if before.get(n) != self.environment.get(n)]
        changed = {name: self.environment.get(name) for name in names}
        folder, self.folder = self.folder, os.getcwd()
        moved = None if folder == self.folder else self.folder
        for process in processes:
            process.pending.append(partial(_follow, process, changed, moved, handlers))
        self.moved = any(process.folder != self.folder for process in processes)


def _follow(process: Process, changed: dict[Any, Any], folder: str | None, handlers: list[logging.Handler]) -> None:
    for name, value in changed.items():
        if value is None:
            process.environment.pop(name, None)
        else:
            process.environment[name] = value
    if folder is not None:
        os.chdir(folder)
    follow_outside(process)
    root = logging.getLogger()
    for handler in handlers:
        if handler in vars(root)["handlers"] and handler not in root.handlers:  # a test has removed it on this rank
            root.addHandler(handler)


def processes_of_ranks(size: int) -> list[Process]:
    """What so many ranks keep from phase to phase, of which they have set nothing yet."""
    common = _Common()
    return [Process(common, _owns_nothing, {}, {**common.environment}, common.folder) for _ in range(size)]


def move_to(rank: Rank) -> None:
    """Change to the working directory of a rank that goes on, if any rank has changed its own."""
    process: Process | None = rank.kept.get(PROCESS)
    if process is not None and isinstance(process.common, _Common) and process.common.moved:
        with suppress(OSError):  # it may be gone
            os.chdir(process.folder)


def catch_up() -> None:
    """Do what the rank that runs has to do before anything else."""
    process = current_process()
    while process is not None and process.pending:
        process.pending.pop(0)()


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
    found = [getattr(plugin, name, None) for name in ("caplog_handler", "report_handler")]
    added = [each for each in found if each is not None]
    of_caplog = [each for each in found[:1] if each is not None]
    show = warnings.showwarning

    def showwarning(message: Any, *args: Any, **kwargs: Any) -> None:
        task = getcurrent()
        if isinstance(task, Task) and isinstance(message, Warning):
            setattr(message, RANK, task.rank.index)
        show(message, *args, **kwargs)

    for handler in of_caplog:
        if names_rank not in handler.filters:
            handler.addFilter(names_rank)
    common = processes[0].common
    assert isinstance(common, _Common)
    common.follow(processes, added)
    for rank, process in zip(cluster.kernel.ranks, processes, strict=True):
        own_warnings(rank)
        rank.kept[PROCESS] = process
    warnings.showwarning = showwarning
    try:
        with warnings_of_ranks(), streams_of_ranks(), logging_of_ranks(of_caplog), environments(common):
            yield
    finally:
        warnings.showwarning = show
