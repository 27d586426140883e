"""Gives up a schedule that still runs when the budget of an exploration is over: it may go on for ever.

How real time is limited belongs in `overlong`, and what ranks do when they are stopped in the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..cluster import Cluster
from ..kernel import Kernel
from ..overlong import time_limit

#: How long a schedule may go on after the budget: a part of that, and in seconds at the least and at the most.
SHARE, LEAST, MOST = 0.5, 2.0, 60.0


class Overtime:
    """Stops the run that is under way when time is up."""

    def __init__(self) -> None:
        self._kernel: Kernel | None = None
        self._limit: time_limit | None = None
        self._why = ""

    def begins(self, cluster: Cluster) -> None:
        """A run begins on this cluster."""
        self._kernel = cluster.kernel
        if self._limit is not None:
            cluster.kernel.meanwhile = self._limit.look

    @contextmanager
    def within(self, budget: float | None, share: float = 1.0) -> Iterator[None]:
        """Stop runs once a budget is over, and some time more.

        :param budget: in seconds; None: runs may take any time.
        :param share: how much of it there is.
        :raises OverlongError: a run was stopped.
        """
        if budget is None:
            yield
            return
        self._why = f"a schedule was not over when the budget of {budget:g} s was"
        self._limit = time_limit(share * budget + min(max(SHARE * budget, LEAST), MOST), self._time_up)
        try:
            with self._limit:
                yield
        finally:
            self._limit = self._kernel = None

    def _time_up(self) -> None:
        if self._kernel is not None:
            self._kernel.give_up(self._why)
