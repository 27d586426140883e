"""Sends the orders of main to the ranks: which jobs to run, which to give back, and that they may leave.

`bsbpool.engine` decides the orders; packing belongs in `protocol`, and the messages of ranks in `inbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.engine import Engine
from ..worlds import Channel, Mailbox
from .calls import call_to_send
from .event_log import EventLog
from .jobs import Job
from .protocol import RUN, STOP, Codec
from .turns import OneRank


class Outbox:
    """Sends to ranks.

    :param engine: is told of jobs that can't be sent.
    :param codec: packs what is sent.
    :param event_log: records it.
    :param now: the clock of main.
    :ivar channel: where it goes; None before the pool is opened.
    :ivar local_worker: where it goes in place of that, once a task beside main runs the jobs.
    :ivar turns: who runs next, where there is one rank; None: whoever has an order.
    """

    def __init__(self, engine: Engine[Job], codec: Codec, event_log: EventLog, now: Callable[[], int]) -> None:
        self._engine = engine
        self._codec = codec
        self._event_log = event_log
        self._now = now
        self._news = engine.caches.news
        self.channel: Channel | None = None
        self.local_worker: Mailbox | None = None
        self.turns: OneRank | None = None

    def dissolve(self) -> None:
        """Nothing is sent any more, since the pool is closed."""
        self.turns = None

    def assign(self, jobs: Sequence[Job], rank: int, free: list[int]) -> None:
        """Send jobs to a rank, which frees these cached items first."""
        engine, codec, event_log = self._engine, self._codec, self._event_log
        if free and (free := engine.caches.still_stale(rank, free)):
            event_log.record("freed", rank, jobs[0]._id, free)
        calls: list[tuple[Any, ...]] = []
        failed: list[tuple[Job, Exception | None]] = []
        keeps = event_log.keeps_calls
        for job in jobs:
            if job._status.ended:
                # The pool stopped between the decision and now, or somebody ended it by hand: no rank runs it.
                failed.append((job, None))
                continue
            try:
                packed, limit = codec.pack_call(call_to_send(job)), job._limit
            except Exception as error:
                failed.append((job, error))
                continue
            if keeps:
                event_log.sending(job)
            if limit is None:
                calls.append((job._id, packed))
            else:
                calls.append((job._id, packed, limit))
                engine.deadlines.expect(rank, job, self._now() + limit)
        if keeps:
            event_log.settle()
        if calls or free:
            message = codec.encode((RUN, calls, free, self._news[rank]))
            if self.turns is not None and calls:
                self.turns.order(message, jobs[0])
            else:
                self._put(rank, message)
        for job, why in failed:
            engine.finished(job, why, sent=False)

    def send(self, rank: int, order: tuple[Any, ...]) -> None:
        """Send any other order to a rank."""
        self._put(rank, self._codec.encode(order))

    def dismiss(self, problem: str | None, ranks: Sequence[int]) -> None:
        """Let ranks leave, and the task beside main.

        :param problem: what went wrong on main.
        """
        message = self._codec.encode((STOP, problem))
        self._event_log.settle()
        if self.local_worker is not None:
            self.to_local_worker(message)
        assert self.channel is not None
        for rank in ranks:
            self.channel.send(rank, message, last=True)

    def to_local_worker(self, message: Any) -> None:
        """Hand a message to the task that runs jobs beside main."""
        assert self.local_worker is not None
        self.local_worker.put((0, message))

    def _put(self, rank: int, message: Any) -> None:
        if self.local_worker is not None:
            self.local_worker.put((0, message))
        else:
            assert self.channel is not None
            self.channel.send(rank, message)
