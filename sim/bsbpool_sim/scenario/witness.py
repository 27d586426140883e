"""What the code of a scenario's program sees that is in no trace: with which context variables it is called, what its
callbacks and listeners are told beside changes of jobs, and what `execute` returns.

Whether this is correct is decided in `always`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

from bsbpool.pool import PoolStatus

T = TypeVar("T")

#: Of which job, listener or callback this is the context.
_WHOSE: ContextVar[str] = ContextVar("bsbpool_scenario", default="nobody")

#: Every so manyth job has a callback; a callback for each would take a noticeable part of the time.
EVERY = 5


class Witness:
    """What is seen in one run.

    :ivar strange: who was called with the context variables of somebody else: (who, of whom).
    :ivar asked: the jobs that have a callback, with what these were told: statuses.
    :ivar added: by listener: the jobs that it was told were added.
    :ivar statuses: by listener: the changes of pools' statuses that it was told: (old, new).
    :ivar entered: how often listeners were entered, on all ranks; and with which errors they were left.
    :ivar begun: by event of the file: when it began, if it has not come to its end.
    :ivar wrong_results: jobs that succeeded and are not among the results of `execute`, or the other way round.
    """

    def __init__(self) -> None:
        self.strange: list[tuple[str, str]] = []
        self.asked: dict[str, list[str]] = {}
        self.added: dict[str, list[str]] = {}
        self.statuses: dict[str, list[tuple[str | None, str]]] = {}
        self.entered = 0
        self.left: list[object] = []
        self.begun: dict[int, int] = {}
        self.wrong_results: list[str] = []

    def handed_in(self, whose: str, hand_in: Callable[[], T]) -> T:
        """Let somebody hand in code that is called later, and see then that it has the context variables of here."""
        token = _WHOSE.set(whose)
        try:
            return hand_in()
        finally:
            _WHOSE.reset(token)

    def is_called(self, who: str) -> None:
        """Somebody is called who was handed in."""
        if (of_whom := _WHOSE.get()) != who:
            self.strange.append((who, of_whom))

    def told(self, listener: str, old: PoolStatus | None, new: PoolStatus | None) -> None:
        """A listener is told that the status of a pool has changed."""
        values = [None if status is None else status.value for status in (old, new)]
        self.statuses.setdefault(listener, []).append((values[0], str(values[1])))

    def begins(self, phase: str, workflow: Any) -> None:
        """A phase of the workflow begins on a rank, if there is a workflow."""
        if workflow is not None and workflow.phase != phase:
            self.strange.append((f"phase {phase}", f"phase {workflow.phase}"))

    def queued(self, name: str, job: Any, number: int) -> None:
        """A job was queued, as that of the program with that number: it gets a callback if it is its turn."""
        if number % EVERY == 0:
            self.asked[name] = []
            self.handed_in(f"the callback of {name}", functools.partial(self._ask, name, job))

    def _ask(self, name: str, job: Any) -> None:
        job.on_completion(functools.partial(self._ended, name))

    def _ended(self, name: str, job: Any) -> None:
        self.asked[name].append(job.status.value)
        self.is_called(f"the callback of {name}")

    def has_ended(self, name: str, job: Any) -> None:
        """A job has ended for sure: who asks now is told at once."""
        if name in self.asked:
            told: list[Any] = []
            job.on_completion(told.append)
            if told != [job]:
                self.asked[name].append("not told at once")

    def given(self, results: Mapping[Any, Any] | None, name: str, job: Any) -> None:
        """What `execute` returned, if it returned, and a job of its pool."""
        if results is not None and (job in results) != (job.status.value == "success"):
            self.wrong_results.append(name)
