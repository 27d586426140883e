"""Checks of job pools in every schedule: of the engine after each of its events, and of the trace at the end.

The invariants of a trace are in `invariants`, those of an engine in `Engine.validate`. This file also decides which
errors are the expected consequences of a fault that was a choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, product
from typing import Any
from weakref import WeakKeyDictionary, ref

from bsbpool.engine.engine import Engine
from bsbpool.engine.state import Heap, JobState
from bsbpool.engine.status import JobStatus
from bsbpool.exceptions import JobErroredError, JobPoolError, WorkflowError
from bsbpool.trace import Trace

from ..faults import InjectedError
from ..invariants import broken

#: What happens to an engine.
EVENTS = (
    "add", "begin", "ready", "cached", "finished", "overdue", "returned", "run_by_hand", "set_status", "cancel",
    "go_on", "lost", "stop",
)  # fmt: skip


class ReadyOrder:
    """The order of one engine's ready jobs, from event to event: they start in the order in which they became ready.

    So who becomes ready stands behind the others, and who comes back from a rank before them.
    """

    def __init__(self) -> None:
        self._ready: list[int] = []
        #: by rank that has some: the jobs that were sent to it.
        self._sent: list[list[JobState]] = []

    def validate(self, engine: Engine[Any]) -> None:
        """See how the order has changed with the last event.

        :raises AssertionError: a job has overtaken another.
        """
        line = engine.graph.ready
        if isinstance(line, Heap):
            return  # on one rank they start in the order in which they were queued
        ready = [job._id for job in line if job._status is JobStatus.QUEUED and job._rank is None]
        sent = self._sent
        self._sent = [[*jobs] for jobs in engine.dispatch.lines.values() if jobs]
        if not self._goes_on(ready, sent):
            self._compare(ready, [[job._id for job in jobs] for jobs in sent])
        self._ready = ready

    def _goes_on(self, ready: list[int], sent: list[list[JobState]]) -> bool:
        """Whether the first ones have left, others that were not sent have come, and nothing else has happened: after
        most events that is so.
        """
        before = self._ready
        if not ready or ready == before:
            return True
        if before and ready[0] not in before:
            return False
        left = before.index(ready[0]) if before else 0
        stay = len(before) - left
        if ready[:stay] != before[left:]:
            return False
        come = ready[stay:]
        return not come or {*before[:left], *(job._id for jobs in sent for job in jobs)}.isdisjoint(come)

    def _compare(self, ready: list[int], lines: list[list[int]]) -> None:
        there = dict.fromkeys(ready)
        back = [[id for id in sent if id in there] for sent in lines]
        stayed = [id for id in self._ready if id in there]
        before = dict.fromkeys([*stayed, *chain(*back)])
        place = {id: number for number, id in enumerate(ready)}
        come = [id for id in ready if id not in before]
        for first, second in chain(product(chain(*back), stayed[:1]), product(stayed[-1:], come[:1])):
            assert place[first] < place[second], f"job {second} stands before job {first}, which was ready before it"
        for order in (stayed, *back):
            assert order == sorted(order, key=place.__getitem__), f"jobs {order} stand in another order"


class Watch:
    """What was wrong with engines in a run."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._within = False
        # Weakly: what a program leaves behind in a pool is gone as soon as without this.
        self._orders: WeakKeyDictionary[Engine[Any], ReadyOrder] = WeakKeyDictionary()
        self._last: Callable[[], Engine[Any] | None] = _nothing
        self._order = ReadyOrder()

    def begin(self) -> None:
        """A run begins: nothing is known of it."""
        self._found, self._within = [], False

    def of_run(self, trace: Trace, ended: bool) -> list[str]:
        """What is wrong with the pools of a run, the first thing first.

        :param ended: whether the run has come to its end, so that all has to be in its trace.
        """
        found = self._found
        return found + [rule.what for rule in broken(trace.events)] if ended else found

    def _watched(self, event: Callable[..., Any]) -> Callable[..., Any]:
        name = event.__name__

        def watched(engine: Engine[Any], *args: Any, **kwargs: Any) -> Any:
            if self._within:
                return event(engine, *args, **kwargs)
            self._within = True
            try:
                result = event(engine, *args, **kwargs)
            finally:
                self._within = False
            try:
                engine.validate()
                self._order_of(engine).validate(engine)
            except AssertionError as error:
                self._found.append(f"after {name}, the engine is not of a piece: {error}".rstrip(": "))
            return result

        return watched

    def _order_of(self, engine: Engine[Any]) -> ReadyOrder:
        if self._last() is not engine:  # mostly it is the same as at the event before
            self._last, self._order = ref(engine), self._orders.setdefault(engine, ReadyOrder())
        return self._order

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch all engines meanwhile."""
        usual = {name: getattr(Engine, name) for name in EVENTS}
        for name, event in usual.items():
            setattr(Engine, name, self._watched(event))
        try:
            yield
        finally:
            for name, event in usual.items():
                setattr(Engine, name, event)


def _nothing() -> None:
    """No engine."""


def follows_from_a_fault(error: BaseException) -> bool:
    """Whether an exception is what a pool raises where a rank was lost, or a job failed that a fault had struck."""
    if isinstance(error, WorkflowError):
        return all(follows_from_a_fault(each) for each in error.exceptions)
    if isinstance(error, JobErroredError):
        return error.error is None or follows_from_a_fault(error.error)
    return isinstance(error, InjectedError | JobPoolError)
