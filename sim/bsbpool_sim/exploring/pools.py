"""Checks of job pools in every schedule: of the engine after each of its events, and of the trace at the end.

The invariants of a trace are in `invariants`, those of an engine in `Engine.validate`. This file also decides which
errors are the expected consequences of a fault that was a choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, product
from typing import Any
from weakref import WeakKeyDictionary

from bsbpool.engine.engine import Engine
from bsbpool.engine.state import Heap
from bsbpool.engine.status import JobStatus
from bsbpool.exceptions import JobErroredError, JobPoolError, WorkflowError
from bsbpool.trace import Trace

from ..faults import InjectedError
from ..invariants import broken

QUEUED = JobStatus.QUEUED

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
        self._lines: list[list[int]] = []

    def validate(self, engine: Engine[Any]) -> None:
        """See how the order has changed with the last event.

        :raises AssertionError: a job has overtaken another.
        """
        line = engine.graph.ready
        if isinstance(line, Heap):
            return  # on one rank they start in the order in which they were queued
        ready = [job._id for job in line if job._status is QUEUED and job._rank is None]
        if ready != self._ready[len(self._ready) - len(ready) :]:  # else the first ones were given out, or nothing was
            self._compare(ready)
        self._ready = ready
        self._lines = [[job._id for job in sent] for sent in engine.dispatch.lines.values()]

    def _compare(self, ready: list[int]) -> None:
        there = dict.fromkeys(ready)
        back = [[id for id in sent if id in there] for sent in self._lines]
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
                self._orders.setdefault(engine, ReadyOrder()).validate(engine)
            except AssertionError as error:
                self._found.append(f"after {name}, the engine is not of a piece: {error}".rstrip(": "))
            return result

        return watched

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


def follows_from_a_fault(error: BaseException) -> bool:
    """Whether an exception is what a pool raises where a rank was lost, or a job failed that a fault had struck."""
    if isinstance(error, WorkflowError):
        return all(follows_from_a_fault(each) for each in error.exceptions)
    if isinstance(error, JobErroredError):
        return error.error is None or follows_from_a_fault(error.error)
    return isinstance(error, InjectedError | JobPoolError)
