"""Schedulers: tasks beside main that call a function with each of several nodes, which queues the node's jobs.

Their outcomes reach main through its channel. The statuses of jobs are decided in `engine`; waiting for schedulers
belongs in `pool`; `turns` decides when a scheduler may run on one rank.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import Context
from typing import Any

from ..errors_and_facts import error_of, facts_of
from ..exceptions import JobSchedulingError
from ..facts import NotScheduled, SchedulerFailed
from ..text import scrub
from ..values import name_of, node_name
from ..worlds import Role
from .closed import stopped, to_nobody

#: What main is told when a scheduler has ended.
ENDED = object()


class Schedulers:
    """The schedulers of a pool.

    :param lock: the pool's.
    :param start: starts a task of main.
    :param tell: hands main a message: a `JobSchedulingError`, or `ENDED`.
    :param record: records an event of the pool.
    :param raised: records where an error was raised of which an event of that kind is about to tell.
    :param settle: sees to it that what was recorded outlives this process.
    :param stopping: says whether the pool stops early.
    :ivar left: how many have not ended; those count that have yet to start.
    :ivar running: whether one runs that was started by `start_next`.
    :ivar not_scheduled: nodes that were not scheduled, by their `id()`, which stays theirs as long as they are in here.
    """

    def __init__(
        self,
        lock: AbstractContextManager[Any],
        start: Callable[..., None],
        tell: Callable[[Any], None],
        record: Callable[..., None],
        raised: Callable[[str, BaseException], None],
        settle: Callable[[], None],
        stopping: Callable[[], bool],
    ):
        self._lock = lock
        self._start = start
        self._tell = tell
        self._record = record
        self._raised = raised
        self._settle = settle
        self._stopping = stopping
        self._waiting: deque[tuple[int, Sequence[Any], Callable[[Any], Any], Context]] = deque()
        self._count = 0
        self.left = 0
        self.running = False
        self.not_scheduled: dict[int, Any] = {}

    def add(self, nodes: Sequence[Any], scheduler: Callable[[Any], Any], context: Context) -> None:
        """One more, which `start` or `start_next` starts; called under the lock.

        :param context: the context variables with which it runs.
        """
        self.left += 1
        self._waiting.append((self._count, nodes, scheduler, context))
        self._count += 1
        self._record("schedule", len(nodes))

    def to_start(self) -> list[int]:
        """Of those that have not started: how many nodes each of them has."""
        return [len(nodes) for _, nodes, *_ in self._waiting]

    def start(self) -> None:
        """Start all those that have not started, beside each other."""
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            self._begin(*each)

    def start_next(self) -> None:
        """Start the first of those that have not started; none may run."""
        with self._lock:
            first = self._waiting.popleft()
            self.running = True
        self._begin(*first)

    def dissolve(self) -> None:
        """No scheduler starts any more, and main is told nothing, since the pool is closed."""
        self._start = self._tell = to_nobody
        self._stopping = stopped

    def ended(self) -> None:
        """One has ended; main was told."""
        self.left -= 1
        self.running = False

    def _begin(self, number: int, nodes: Sequence[Any], scheduler: Callable[[Any], Any], context: Context) -> None:
        self._start(Role.SCHEDULER, context.run, self._schedule, number, nodes, scheduler)

    def _schedule(self, number: int, nodes: Sequence[Any], scheduler: Callable[[Any], Any]) -> None:
        """The task of a scheduler."""
        try:
            for node in nodes:
                if self._stopping():
                    break
                problem = self._schedule_node(number, node, scheduler)
                if problem is not None:
                    self.not_scheduled[id(node)] = node
                    self._tell(problem)
        finally:
            self._tell(ENDED)

    def _schedule_node(self, number: int, node: Any, scheduler: Callable[[Any], Any]) -> JobSchedulingError | None:
        """Call the scheduler for one node. Returns why it was not scheduled."""
        name = f"a node of type {type(node).__name__}"
        error: BaseException | None = None
        try:
            name = scrub(node_name(node))
            self._record("scheduling", name, number)
            depends_on = getattr(node, "depends_on", None)
            for dependency in depends_on if depends_on is not None else ():
                if id(dependency) in self.not_scheduled:
                    other = name_of(dependency)
                    because: JobSchedulingError = error_of(NotScheduled(name, other))
                    return because
            self._settle()
            scheduler(node)
            return None
        except BaseException as raised:
            error = raised
            facts = facts_of(raised)
            assert facts is not None
            problem: JobSchedulingError = error_of(SchedulerFailed(name, facts), raised)
            return problem
        finally:
            if error is not None:
                self._raised("scheduled", error)
            self._record("scheduled", name, facts_of(error), number)
