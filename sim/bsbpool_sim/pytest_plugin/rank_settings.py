"""What each simulated rank of a test sets for itself in Python: settings of `warnings`, and the standard streams.

Each phase of a test (setup, call, teardown) begins with those from outside of the ranks, as pytest does it in each
process. What the ranks have written is kept in `rank_output`, and their modules in `own_modules`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from greenlet import getcurrent

from ..cluster import Cluster
from ..kernel import Task
from ..python.warning_settings import own_warnings, warnings_of_ranks
from .rank_output import streams_of_ranks
from .rank_reports import RANK


@contextmanager
def settings_of_ranks(cluster: Cluster) -> Iterator[None]:
    """While entered, each rank of a cluster has its own. Warnings that reach those from outside name their rank."""
    show = warnings.showwarning

    def showwarning(message: Any, *args: Any, **kwargs: Any) -> None:
        task = getcurrent()
        if isinstance(task, Task) and isinstance(message, Warning):
            setattr(message, RANK, task.rank.index)
        show(message, *args, **kwargs)

    for rank in cluster.kernel.ranks:
        own_warnings(rank)
    warnings.showwarning = showwarning
    try:
        with warnings_of_ranks(), streams_of_ranks():
            yield
    finally:
        warnings.showwarning = show
