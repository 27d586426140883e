"""The world of the pools of an exact replay: their recorder, worlds, locks and channels, which ask the director.

The director, in `exact`, decides what happens next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from bsbpool.trace import Recorder
from bsbpool.trace.events import PoolEvent, record_of
from bsbpool.worlds import Channel, Role

from ..world import SimWorld
from .ending import NOT_OF_MAIN
from .recorded_pool import Recorded


class Directing(Protocol):
    """What the ground asks the director."""

    def came(self, event: PoolEvent) -> None:
        """The pool recorded an event."""

    def pool_of(self, rank: int) -> Recorded:
        """The pool that a rank is about to open, or has open."""

    def host(self, rank: int) -> str:
        """The host of a rank, as it was recorded."""

    def clock(self, pool: Recorded, rank: int) -> int:
        """What the clock of a rank shows."""

    def takes_lock(self) -> None:
        """Main's lock is taken."""

    def gives_lock_back(self) -> None:
        """Main's lock is given back."""

    def scheduler_comes(self) -> None:
        """A scheduler is about to start."""

    def schedules(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """The task of a scheduler."""

    def put(self, item: Any) -> None:
        """A task of main's rank puts something into its channel."""

    def forget(self) -> None:
        """Main's channel is closed."""

    def receive(self, pool: Recorded, only_what_is_there: bool) -> Any:
        """What main receives next."""

    def send(self, pool: Recorded, rank: int, message: Any) -> None:
        """Main sends to a rank."""

    def order(self, pool: Recorded, rank: int) -> Any:
        """What a rank receives next."""

    def says(self, pool: Recorded, rank: int, message: Any, parts: Sequence[Any]) -> None:
        """A rank sends to main."""

    def perform(self, pool: Recorded, rank: int, job: int, function: Callable[[], Any]) -> Any:
        """A job runs on a rank."""


class Checking(Recorder):
    """A recorder that holds each event against the trace."""

    folds = False

    def __init__(self, director: Directing, header: Any, now: Callable[[], int]):
        super().__init__(header, now)
        append, came = self.record, director.came

        def record(event: tuple[Any, ...]) -> None:
            if event[0] not in NOT_OF_MAIN:
                came(record_of(event))
            append(event)

        self.record = record

    def label(self, id: Any) -> int | str:
        """What a pool is called in the trace: as it was."""
        label: int | str = id  # a pool's id is what it is called in the trace
        return label


class ReplayedWorld(SimWorld):
    """The ground under a rank of a replay."""

    director: Directing
    sends_bytes = True  # the director packs what main is told, as it was recorded

    def channel(self) -> Channel:
        """Where a pool on this rank waits: for what was recorded."""
        recorded = self.director.pool_of(self.rank)
        return _Main(self.director, recorded) if self.rank == 0 else _Rank(self.director, recorded, self.rank)

    def lock(self) -> Any:
        """A lock; main's tells the director."""
        return _Gate(self.director) if self.rank == 0 else super().lock()

    def now(self) -> int:
        """The time that the rank's clock showed."""
        director = self.director
        if self.rank or self._kernel.task.role is Role.WORKER:
            return director.clock(director.pool_of(self.rank), self.rank)
        return 0  # main is told when its time has come; by itself it waits for nothing

    @property
    def host(self) -> str:
        """The name of the host as it was recorded."""
        return self.director.host(self.rank)

    @host.setter
    def host(self, name: str) -> None:
        pass

    def start(self, role: Role, function: Callable[..., Any], *args: Any, name: str | None = None) -> None:
        """Start a task; the director knows of schedulers, and which limits were reached: nobody keeps time."""
        if role is Role.TIMEKEEPER:
            return
        if role is Role.SCHEDULER:
            self.director.scheduler_comes()
            super().start(role, self.director.schedules, function, args, name=name)
        else:
            super().start(role, function, *args, name=name)


class _Gate:
    """Main's lock: where it is taken, others may have had it before."""

    def __init__(self, director: Directing):
        self._director = director

    def __enter__(self) -> None:
        self._director.takes_lock()

    def __exit__(self, *exc: object) -> None:
        self._director.gives_lock_back()


class _Main(Channel):
    """Main's end of a pool's lines."""

    def __init__(self, director: Directing, recorded: Recorded):
        self._director = director
        self._recorded = recorded
        self.any_task_sends = recorded.ahead

    def put(self, item: Any) -> None:
        self._director.put(item)

    def get(self, until: int | None = None) -> Any:
        return self._director.receive(self._recorded, until == 0)

    def send(self, rank: int, message: bytes, parts: Sequence[Any] = (), last: bool = False) -> None:
        self._director.send(self._recorded, rank, message)

    def close(self) -> None:
        self._director.forget()

    def perform(self, job: int, function: Callable[[], Any]) -> Any:
        return self._director.perform(self._recorded, 0, job, function)


class _Rank(Channel):
    """Another rank's end."""

    def __init__(self, director: Directing, recorded: Recorded, rank: int):
        self._director = director
        self._recorded = recorded
        self._rank = rank

    def put(self, item: Any) -> None:
        raise AssertionError("no task of a rank other than main puts anything into its channel")

    def get(self, until: int | None = None) -> Any:
        return None if until == 0 else self._director.order(self._recorded, self._rank)

    def send(self, rank: int, message: bytes, parts: Sequence[Any] = (), last: bool = False) -> None:
        self._director.says(self._recorded, self._rank, message, parts)

    def close(self) -> None:
        pass

    def perform(self, job: int, function: Callable[[], Any]) -> Any:
        return self._director.perform(self._recorded, self._rank, job, function)
