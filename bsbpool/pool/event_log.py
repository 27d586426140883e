"""The event log of a pool, on main: everything that decides what happens next, in the order in which it happened.

`trace.format` defines the events, and `trace.recording` writes them to a file. The parts of the pool report them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from .. import host
from ..engine.engine import RUNNING, SUCCESS, Engine
from ..engine.state import JobState
from ..engine.status import JobStatus
from ..errors_and_facts import facts_of
from ..exceptions import JobPoolError
from ..trace.format import Successes, describe, scrub, traced_error
from ..trace.listener import TraceRecorder
from ..trace.recording import MOST_FOLDED, Several, Sink
from ..tracebacks import raised
from ..values import text_of
from ..worlds import World
from .calls import call_to_send
from .jobs import Job
from .progress import PoolOfProgress
from .protocol import dumps

# What the calls of jobs may be kept for.
_FAILURES = (JobStatus.FAILED, JobStatus.ABORTED)

_NO_CONTEXT: Mapping[str, Any] = {}


class EventLog:
    """The record of one pool. It takes in nothing until somebody wants it.

    :param id: the pool's id.
    :param engine: the pool's; it notes changes of statuses while there is a record.
    :param lock: the pool's.
    :ivar sink: where events go; None if nobody wants them.
    """

    def __init__(self, id: Any, engine: Engine[Job], lock: AbstractContextManager[Any]):
        self._engine = engine
        self._lock = lock
        self._id = describe(id)
        #: what the pool is called in the record.
        self._label: int | str = self._id
        self._successes: Successes
        self._listeners: list[TraceRecorder] = []
        # The name of the last job, and how the record has it: the next one is mostly called the same.
        self._name = self._scrubbed = ""
        self.sink: Sink | None = None

    # -- who wants it ------------------------------------------------------------------------------

    def add(self, listener: TraceRecorder) -> None:
        """Whoever wants the record from the pool's opening on."""
        self._listeners.append(listener)

    def open(self, world: World, pool: PoolOfProgress, in_turn: bool) -> None:
        """The pool opens, with that rank as main: find out who wants its record.

        :param in_turn: whether on one rank nothing of the user's runs beside something else of the user's.
        """
        wanted = world.recording()
        sinks = [*([] if wanted is None else [wanted]), *(each.open(world) for each in self._listeners)]
        if sinks:
            labels = [sink.label(self._id) for sink in sinks]
            self._write_to(sinks[0] if len(sinks) == 1 else Several(sinks, labels[0], labels), labels[0])
            for kind, *fields in self._opening(world, pool, in_turn):
                self.record(kind, *fields)

    def _opening(self, world: World, pool: PoolOfProgress, in_turn: bool) -> Iterator[tuple[Any, ...]]:
        """What a record says of the pool before all else, as kinds of events with their fields."""
        failures, dispatch, parallel = self._engine.failures, self._engine.dispatch, world.size > 1
        yield "pool", world.size, failures.fail_fast, [scrub(text_of(phase)) for phase in pool.workflow.phases]
        if parallel and not dispatch.send_ahead:
            yield ("one_at_a_time",)
        if parallel and dispatch.idle_first:
            yield ("idle_first",)
        if in_turn:
            yield ("in_turn",)
        if failures.retries:
            yield "retries", failures.retries

    def join(
        self, listener: TraceRecorder, world: World, pool: PoolOfProgress, in_turn: bool, *since: tuple[Any, ...]
    ) -> None:
        """Somebody wants the record of an open pool that has no job yet; `since` is what happened since it opened.

        :raises JobPoolError: there is a job already.
        """
        if jobs := len(self._engine.jobs):
            raise JobPoolError(
                f"A TraceRecorder has to come before the first job: a trace has every job, and this pool has {jobs}."
            )
        sink = listener.open(world)
        label = sink.label(self._id)
        for kind, *fields in (*self._opening(world, pool, in_turn), *since):
            sink.emit(kind, label, *fields)
        if self.sink is None:
            self._write_to(sink, label)
        else:
            self._write_to(Several([self.sink, sink], self._label, [self._label, label]), self._label)

    def _write_to(self, sink: Sink, label: int | str) -> None:
        self.sink, self._label, self._successes = sink, label, Successes(label)
        self._engine.graph.changes = []

    # -- what happens ------------------------------------------------------------------------------

    def record(self, kind: str, *fields: Any) -> None:
        """Record an event of this pool."""
        sink = self.sink
        if sink is not None:
            with self._lock:  # what belongs together is not torn apart by what schedulers do meanwhile
                sink.record((kind, sink.now(), self._label, *fields))

    def raised(self, of: str, error: BaseException, job: int | None = None) -> None:
        """Record where an error was raised, if that is known, right before the event that tells of it.

        :param of: the kind of that event.
        :param job: the job that raised it, if one did.
        """
        if (sink := self.sink) is not None and (where := raised(error)):
            self.record("traceback", job, of, tuple(traced_error(*each, sink.portable) for each in where))

    def error(self, kind: str, error: BaseException | None) -> None:
        """Record an event that tells of an error, or that there is none, and where it was raised."""
        if error is not None:
            self.raised(kind, error)
        self.record(kind, facts_of(error))

    def job(self, job: Job, name: str, dependencies: Sequence[JobState]) -> None:
        """Record that a job was queued; called under the lock, where there is a sink."""
        sink, context = self.sink, job._context
        assert sink is not None
        if name != self._name:
            self._name, self._scrubbed = name, scrub(name)
        if job._chunks is not None:
            context = {**context, "chunks": job._chunks}
        sink.record(
            ("job", sink.now(), self._label, job._id, type(job).__name__, self._scrubbed,
             describe(context) if context else _NO_CONTEXT,
             tuple([d._id for d in dependencies]) if dependencies else (), job._cache_items)
        )  # fmt: skip
        if job._limit is not None:
            self.record("limit", job._id, job._limit)
        if sink.writes:
            sink.keep_up()

    def queued(self, jobs: Sequence[JobState]) -> None:
        """Record that jobs became queued as the pool began to execute."""
        sink = self.sink
        if sink is None:
            return
        t, label, ids = sink.now(), self._label, [job._id for job in jobs]
        if sink.folds:
            for first in range(0, len(ids), MOST_FOLDED):
                sink.record(("queued", t, label, ids[first : first + MOST_FOLDED]))
        else:
            for id in ids:
                sink.record(("status", t, label, id, JobStatus.QUEUED.value, None, None))

    def changes(self) -> None:
        """Record the changes of statuses that the engine has made since, in order; called under the lock."""
        sink, noted = self.sink, self._engine.graph.changes
        assert sink is not None and noted is not None
        changes: list[Any] = noted[:]
        noted.clear()
        t, label = sink.now(), self._label
        for job, status, rank in changes:
            error = facts_of(job._error) if status.ended and job._error is not None else None
            if error is not None and status in _FAILURES:
                self.raised("status", job._error, job._id)
            if status is JobStatus.QUEUED:
                rank = None
            sink.record(("status", t, label, job._id, status._value_, rank, error))
            # One that was lost with its rank, and is tried again, may have brought that about.
            if sink.capture is not None and (status in _FAILURES or self._engine.failures.was_tried(job._id)):
                sink.capture(label, job._id, job.name, partial(_packed_call, job))

    def success(self, job: JobState, rank: int, started: int, ended: int) -> None:
        """Record that a rank told of a success: one event with what followed in the engine, where that is the rule.

        Called under the lock, where there is a sink, when the engine knows, and before `changes`.
        """
        sink: Any = self.sink
        changes: Any = self._engine.graph.changes
        t = sink.now()
        if sink.folds and changes and changes[0][0] is job and changes[0][1] is SUCCESS:
            running: Any = "null"
            if (count := len(changes)) == 2:
                following, status, where = changes[1]
                if status is RUNNING and where == rank:
                    running, count = following._id, 1
            if count == 1:
                changes.clear()
                sink.record((self._successes, t - sink.start, rank, job._id, started - t, ended - started, running))
                return
        sink.record(("message", t, self._label, rank, job._id, started, ended))

    @property
    def keeps_calls(self) -> bool:
        """Whether a recorder wants to know of jobs before they are sent: see `sending`."""
        return self.sink is not None and self.sink.precaution is not None

    def sending(self, job: Job) -> None:
        """A job is about to be sent to its rank: what it may end must not take along what it was called with."""
        sink = self.sink
        if sink is not None and sink.precaution is not None:
            sink.precaution(self._label, job._id, job.name, partial(_packed_call, job), partial(_has_ended, job))

    # -- what becomes of it ------------------------------------------------------------------------

    def settle(self) -> None:
        """Ensure that what was recorded so far outlives this process."""
        if self.sink is not None:
            self.sink.settle()

    def rest(self) -> None:
        """The pool has closed."""
        if self.sink is not None:
            self.sink.rest()


def _has_ended(job: Job) -> bool:
    return job._status.ended


def _packed_call(job: Job) -> bytes:
    call = call_to_send(job)
    again = None if host.current is None else host.current.owner_again(job._pool.owner)
    return dumps(call if again is None else (*call, again))
