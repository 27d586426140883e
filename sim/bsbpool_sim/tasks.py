"""Ranks and their tasks, as the kernel uses them. A task is a greenlet, which runs until it waits.

The kernel decides what they wait for, and which one runs next. Making a greenlet and its stack takes longer than most
tasks do, so tasks are kept from one simulation to the next, if that begins in the same thread at the same depth of its
stack.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from greenlet import GreenletExit, getcurrent, greenlet

from bsbpool.durations import exact_duration

from .errors import Stuck
from .places import OwnEnd, place_of
from .same_instant import WORK

#: What a task waits for: a text, or something that makes one when somebody asks.
Reason = str | Callable[[], str]


class Clock(Protocol):
    """Interface of the kernel for tasks: `bsbpool_sim.kernel.Kernel` implements it."""

    now: int
    closing: bool
    #: whether tasks that are over wait for `keep_tasks`.
    keeps: bool
    hub: greenlet
    cluster: Any

    def ended(self, task: Task) -> None:
        """Note that a task has ended."""


def _nothing() -> None:
    pass


class Rank:
    """A simulated rank as the kernel sees it: its tasks, its speed, and whether it still lives."""

    slowness = 1.0
    #: whether its program has started a thread.
    threaded = False
    #: how often its program has drawn from the generators behind modules.
    draws = 0
    #: how it ended itself, by `os._exit` and the like; None: it did not.
    own_end: OwnEnd | None = None

    def __init__(self, index: int):
        self.index = index
        # Each event asks for them, and Python finds what a class has for all in three times as long.
        self.paused_until = 0
        self.dead_at: int | None = None
        self.main: Task | None = None
        self.pauses: list[tuple[int, int]] = []
        self.tasks: list[Task] = []
        #: when its program has read each clock.
        self.read_at: dict[str, int] = {}
        #: since when it has done nothing but test and probe in vain, and when the last of these was over.
        self.polls_since = self.polled_until = -1
        #: what its substitutes for clocks, chance and names keep.
        self.kept: dict[str, Any] = {}

    def paused_between(self, start: int, end: int) -> int:
        """Return how many nanoseconds of [start, end) this rank was paused."""
        return sum(max(0, min(end, b) - max(start, a)) for a, b in self.pauses)


class Runs:
    """What an event lets go on: a task, or one that is made by then.

    :ivar parked: whether it waits.
    :ivar resume_turn: the turn in which it goes on when it was called.
    """

    rank: Rank
    name: str
    parked = False
    resume_turn = WORK

    def title(self) -> str:
        """What it is called."""
        return self.name


#: Returns the task that runs, to those who know that one does. A cast would be a call where most time goes.
current_greenlet: Callable[[], Any] = getcurrent


class Task(greenlet, Runs):
    """A concurrent activity of one rank: its program, a scheduler, a job."""

    # Each event asks for some of them: Python takes three times as long to find them in a greenlet's dictionary.
    __slots__ = (
        "args", "deadline", "ended_at", "error", "function", "interruption", "kernel", "name", "over", "parked", "rank",
        "result", "resume_turn", "since", "timed_out", "timer", "timer_turn", "turn", "waits_for", "worked_from",
    )  # fmt: skip

    #: what it does, if it does not run a rank's program.
    role: Enum | None = None
    timed_out: bool
    waits_for: Reason
    deadline: int | None
    timer: int | None
    #: the turn of its deadline, and that of its timer.
    turn: int
    timer_turn: int
    interruption: BaseException | None
    result: Any
    error: BaseException | None  # type: ignore[assignment]  # greenlet names a class so, which nobody asks a task for
    ended_at: int | None
    #: the processor's time since when its work was not counted yet, if work takes time.
    worked_from: int
    #: whether it has come to its end, so that it can do something else.
    over: bool
    #: whether it runs a job that has a time limit.
    limited = False
    #: the `bsbpool_sim.kernel.Kernel` that runs it; it needs no more of that than `Clock` has.
    kernel: Any
    #: the `threading.Thread` that it is for its program; None: nobody has asked.
    thread: Any = None

    def __init__(self, kernel: Clock, rank: Rank, name: str, function: Callable[..., Any], args: tuple[Any, ...]):
        super().__init__(self._body, kernel.hub)
        self.begin(kernel, rank, name, function, args)

    def begin(self, kernel: Clock, rank: Rank, name: str, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Set what the task does when it is first switched to. The task is new, or was kept from another simulation."""
        self.kernel = kernel
        self.rank = rank
        self.name = name
        self.function = function
        self.args = args
        self.since = kernel.now
        self.waits_for = "its turn"
        self.deadline = self.timer = self.interruption = self.result = self.error = self.ended_at = None
        self.turn = self.timer_turn = self.resume_turn = WORK
        self.parked = self.timed_out = self.over = False
        self.worked_from = 0

    def forget(self) -> None:
        """Drop all references to the simulation that it was in; `begin` sets them again."""
        self.__dict__.clear()
        del self.kernel, self.rank, self.function, self.args, self.waits_for, self.interruption, self.result, self.error
        self.gr_context = None

    def _body(self) -> None:
        """Do one thing after the other: to make a greenlet takes longer than what most tasks do."""
        while True:
            self._work()
            self.over = True
            # It waits here for what to do next. As long as it does, no garbage collector finds it: it has to be told.
            hub: Any = self.parent
            if not self.kernel.keeps or hub.switch():
                return

    def _work(self) -> None:
        if self.kernel.closing:
            return
        result, failure = None, None
        try:
            if self.kernel.work is not None:
                self.worked_from = self.kernel.work.clock()
            result = self.function(*self.args)
            if self.kernel.work is not None:
                self.kernel.count_work()
        except GreenletExit:
            pass
        except BaseException as error:
            failure = error
        # One that was ended from outside has no result, whatever it made of that.
        if not self.kernel.closing:
            self.result, self.error = result, failure
            self.kernel.ended(self)
        self.function = _nothing
        self.args = ()

    def end(self) -> None:
        """End the task from outside: where it waits, or before it has begun."""
        self.interruption, self.parked = GreenletExit(), False
        greenlet.switch(self)  # also one that has left, or whose turns are its event loop's

    def leave(self) -> None:
        """Stop the task for ever, as a daemon thread stops when its process ends. Events that were meant for it do
        nothing.
        """
        self.ended_at, self.parked = self.kernel.now, False
        self.switch = lambda: None  # type: ignore[method-assign,misc]  # asking each task whether it has left would cost more

    def where(self) -> str:
        """Return the innermost line of the user's code (else of any code) at which this task is parked."""
        return place_of(self.gr_frame).where

    def stuck(self) -> Stuck:
        """Return who this task is, what it waits for, and where."""
        name = None if self is self.rank.main else self.name
        return Stuck(self.rank.index, name, self.reason(), *place_of(self.gr_frame))

    def reason(self) -> str:
        """Return what the task waits for, in words."""
        return self.waits_for() if callable(self.waits_for) else self.waits_for

    def title(self) -> str:
        """Return the task's name; a program may rename its threads."""
        return self.name if self.thread is None else str(self.thread.name)

    def who(self) -> str:
        """Return the task's rank and, unless it runs the rank's program, its name."""
        return f"rank {self.rank.index}" + (f" ({self.title()})" if self is not self.rank.main else "")

    def report(self) -> str:
        """Return who this task is, what it waits for, since when, and where."""
        place = place_of(self.gr_frame)
        if not place.function:
            return f"{self.who()} has not started yet"
        return f"{self.who()} waits for {self.reason()}, since {exact_duration(self.since)}, at {place.where}"

    def report_running(self) -> str:
        """Return who this task is, and where it is, for the task that runs now."""
        return f"{self.who()} runs at {exact_duration(self.kernel.now)}, at {place_of(sys._getframe()).where}"


# -- keeping them ----------------------------------------------------------------------------------------

#: Tasks that a thread keeps, at most, each with ten kilobytes of stack; and the ranks of a simulation that keeps its
#: tasks, at most.
MOST_KEPT, MOST_RANKS = 1_024, 1_024

#: Under which name a thread's own greenlet has them.
_KEPT = "bsbpool_sim.tasks"


def kept_tasks(hub: greenlet) -> list[Task]:
    """Return the list of tasks that were kept for a simulation that begins on this thread.

    A greenlet goes on with as much of Python's stack as it began with. So one that began at another depth is not taken.

    :param hub: what runs now.
    """
    if hub.parent is not None:
        return []  # a greenlet of the program's own
    depth, frame = 0, sys._getframe()
    while (outer := frame.f_back) is not None:
        depth, frame = depth + 1, outer
    at, kept = hub.__dict__.get(_KEPT, (None, None))
    if at != depth:
        kept = list[Task]()
        hub.__dict__[_KEPT] = depth, kept
    found: list[Task] = kept
    return found


def keep_tasks(tasks: list[Task], kept: list[Task]) -> None:
    """Keep the tasks that have ended, and to which nobody else refers, for the next simulation.

    :param tasks: all of one simulation; the list is empty afterwards.
    :param kept: where.
    """
    counts = _counts(tasks)
    for index, task in enumerate(tasks):
        if not task.over:
            continue
        if counts[index] != _of_nobody() or len(kept) >= MOST_KEPT:
            greenlet.switch(task, True)
            continue
        task.forget()
        kept.append(task)
    tasks.clear()


def _counts(tasks: list[Task]) -> list[int]:
    return [sys.getrefcount(task) for task in tasks]


class _NoKernel:
    """The kernel of a task that has nothing to do."""

    closing = keeps = True
    now = 0
    cluster = None

    def __init__(self) -> None:
        self.hub = getcurrent()

    def ended(self, task: Task) -> None:
        """Nothing."""


@functools.cache
def _of_nobody() -> int:
    """How many references to a task there are in `_counts` if nobody else has one; each Python has its own count."""
    tasks = [Task(_NoKernel(), Rank(0), "", _nothing, ())]
    tasks[0].switch()
    (count,) = _counts(tasks)
    tasks[0].switch(True)
    return count
