"""The clocks of simulated ranks: what a program reads, and how much of its computing takes virtual time.

How virtual time passes belongs to the kernel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

from greenlet import getcurrent


class Work(NamedTuple):
    """Interface of what lets the computing of tasks take virtual time.

    :ivar clock: gives the nanoseconds for which the processor has worked.
    :ivar factor: how many nanoseconds of virtual time each of them takes.
    """

    clock: Callable[[], int]
    factor: float


class Clocks(ABC):
    """Interface of the kernel for reading clocks.

    :ivar now: virtual nanoseconds.
    :ivar task: the task that runs.
    :ivar closing: whether the simulation is over.
    """

    now: int
    closing: bool

    def __init__(self) -> None:
        #: lets what tasks really compute take virtual time; None: computing takes none.
        self.work: Work | None = None
        self._last_reading: tuple[Any, int] | None = None
        self._readings = 0

    @property
    @abstractmethod
    def task(self) -> Any:
        """The task that runs now."""

    @abstractmethod
    def park(self, why: Any, until: int | None = None) -> bool:
        """Let other tasks run."""

    @abstractmethod
    def compute(self, ns: int) -> None:
        """Let `ns` nanoseconds of this rank's work pass."""

    def count_work(self) -> None:
        """Let virtual time pass for what the running task has computed since it continued, if the simulation counts
        computing.
        """
        if self.work is None or self.closing:
            return
        task: Any = getcurrent()
        if getattr(task, "worked_from", 0):
            ns = self._worked(task)
            task.worked_from = 0  # nothing of it is counted twice, nor what the simulator does now
            self.compute(ns)
            task.worked_from = self.work.clock()

    def _worked(self, task: Any) -> int:
        """Nanoseconds of virtual time for what a task has computed, and was not counted yet."""
        assert self.work is not None
        now: int = self.work.clock()
        used: int
        used, task.worked_from = now - task.worked_from, now
        return round(used * self.work.factor)

    def measure(self, clock: str) -> int:
        """Return the time in nanoseconds for a program that measures. If a rank reads one clock twice at one instant, 1
        µs passes, so that the difference of two readings is never zero.
        """
        rank = self.task.rank
        self.count_work()
        if rank.read_at.get(clock) == self.now and not self.closing:
            self.park("a later time: it reads the clock again", self.now + 1000)
        rank.read_at[clock] = self.now
        return self.now

    def read_clock(self) -> int:
        """Return the time in nanoseconds for a program that waits for something in a loop.

        Asking is free, but whoever asks a thousand times at one instant waits for time to pass, actively;
        from then on it passes, by 1 µs for each question.
        """
        self.count_work()
        reading = (self.task, self.now)
        self._readings = self._readings + 1 if reading == self._last_reading else 0
        if self._readings >= 1000:
            self.park("a later time: it reads the clock in a loop", self.now + 1000)
            # Goes on waiting without a thousand free questions at each new instant.
            self._last_reading = (reading[0], self.now)
            self._readings = 1000
        else:
            self._last_reading = reading
        return self.now
