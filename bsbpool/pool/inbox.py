"""Receives the messages of other ranks, on main: each becomes an event of the engine, and of the event log.

The consequences for jobs belong in `bsbpool.engine`, packing in `protocol`, and main's reactions in `coordinator`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.engine import Engine
from ..engine.failure import FailureCause
from ..errors_and_facts import error_of, facts_of
from ..facts import LeftRank, LostRank
from ..tracebacks import FrameParts, remember
from ..worlds import MultipartMessage, RankLost
from .closed import to_nobody
from .event_log import EventLog
from .jobs import Job
from .protocol import DONE, GREW, LEFT, MEASURE, READY, RETURNED, STARTED, STUCK, Codec
from .results import Results
from .worker_table import WorkerTable


class Inbox:
    """Takes in what comes from ranks.

    :param engine: is told of it.
    :param codec: unpacks it.
    :param event_log: records it.
    :param workers: learns where ranks are.
    :param results: keeps what jobs returned.
    :param send: sends an order to a rank.
    :param from_main: takes what did not come from another rank, but from a task of main.
    :param problem: takes an error, if it is one, that listeners are not asked to handle.
    """

    def __init__(
        self,
        engine: Engine[Job],
        codec: Codec,
        event_log: EventLog,
        workers: WorkerTable,
        results: Results,
        send: Callable[[int, tuple[Any, ...]], None],
        from_main: Callable[[Any], None],
        problem: Callable[[Exception | None], None],
    ) -> None:
        self._engine = engine
        self._codec = codec
        self._event_log = event_log
        self._workers = workers
        self._results = results
        self._send = send
        self._from_main = from_main
        self._problem = problem
        self._gone = engine.dispatch.gone
        # What each message needs, looked up once.
        self._jobs, self._finished = engine.jobs, engine.finished
        self._keep, self._decode = results.keep, codec.decode

    def dissolve(self) -> None:
        """Nothing comes any more, since the pool is closed."""
        self._from_main = self._problem = to_nobody

    def receive(self, rank: int | None, message: Any) -> None:
        """Something came; called under the lock."""
        if rank is None:
            self._from_main(message)
            return
        if rank in self._gone:
            return  # what it said before it was lost; its jobs were taken back, or aborted
        if type(message) is RankLost:
            self._lost(LostRank(rank, message.host or self._workers.host(rank), message.died), False)
            return
        parts = None
        if type(message) is MultipartMessage:
            message, parts = message
        decode = self._decode
        news = decode(message)
        kind = news[0]
        if kind == DONE:
            _, id, succeeded, payload, started, ended, cached = news
            if parts is not None:
                payload = parts
            if not succeeded or cached:
                self._done(rank, id, succeeded, payload, started, ended, cached)
                return
            # The end of nearly every job: it stands here, since each call on its way takes a part of its time.
            job, keep, finished = self._jobs[id], self._keep, self._finished
            if not job._status.ended:
                keep(job, payload)
            finished(job, None, ended - started)
            if self._event_log.sink is not None:
                self._event_log.success(job, rank, started, ended)
        elif kind == READY:
            self._event_log.record("ready", rank)
            self._workers.hosts[rank] = news[2]
            if (sink := self._event_log.sink) is not None and sink.measures:
                self._send(rank, (MEASURE,))
            self._engine.ready(rank, news[1])
            if news[1]:
                self._event_log.record("cached", rank, None, news[1])
        elif kind == RETURNED:
            self._event_log.record("returned", rank, news[1])
            self._engine.returned(rank, [self._engine.jobs[id] for id in news[1]])
        elif kind == STARTED:
            self._event_log.record("started", rank, news[1])
        elif kind == STUCK:
            self.overdue(news[1], rank, *news[2:])
        elif kind == GREW:
            self._event_log.record("memory", rank, news[1], news[2])
        elif kind == LEFT:
            self._lost(LeftRank(rank, news[1]), True)

    def _done(
        self, rank: int, id: int, succeeded: bool | None, payload: Any, started: int, ended: int, cached: list[int]
    ) -> None:
        """A rank has run a job that failed, or tells of cached items with it; see `protocol` for the fields."""
        engine = self._engine
        job = engine.jobs[id]
        self._event_log.record("message", rank, id, started, ended)
        if cached:
            self._event_log.record("cached", rank, id, cached)
            engine.cached(rank, cached)
        if succeeded:
            if not job._status.ended:
                self._results.keep(job, payload)
            engine.finished(job, None, ended - started)
        elif succeeded is None:
            place, stack, frames = payload
            error = self._workers.overran(job, rank, "interrupted", place, stack)
            _remember(error, frames)
            engine.finished(job, error, ended - started, FailureCause.INTERRUPTED)
        else:
            engine.finished(job, self._codec.unpack_error(payload), ended - started)

    def overdue(self, id: int, rank: int, place: str, stack: str, frames: Sequence[FrameParts] = ()) -> None:
        """A job is past its limit, and its rank could not end it; without a place, the rank does not answer."""
        job = self._engine.jobs[id]
        error = self._workers.overran(job, rank, "running" if place else "silent", place, stack)
        _remember(error, frames)
        if self._engine.overdue(job, rank, error):
            self._event_log.record("stuck", rank, id)

    def _lost(self, why: LostRank | LeftRank, left: bool) -> None:
        """A rank is gone; called under the lock.

        :param left: it left for a reason of its own.
        """
        rank, error = why.rank, error_of(why)
        if rank == 0:
            return
        self._event_log.record("lost", rank, facts_of(error))
        self._problem(self._engine.lost(rank, error, left))


def _remember(error: BaseException, frames: Sequence[FrameParts]) -> None:
    """Keep with the error of a job past its limit where it was."""
    if (facts := facts_of(error)) is not None:
        remember(error, [("raised", facts, [*frames])])
