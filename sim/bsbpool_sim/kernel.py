"""The discrete-event kernel: keeps virtual time and the tasks, and decides which event comes next.

Events are in a heap with the key (time, turn, sequence); `same_instant` defines turns, and the order of events of one
turn is a choice, as defined in `choices`. A task is a greenlet; it runs until it parks, and nothing else runs
meanwhile, so a simulated rank needs no locks. Virtual time is an integer number of nanoseconds and changes only from
one event to the next.

Messages, windows, jobs and scripts do not belong here: the kernel knows ranks only as owners of tasks, which can be
slow, paused or dead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from greenlet import GreenletExit, getcurrent

from bsbpool.durations import exact_duration
from bsbpool.values import add_note

from .choices import ComesFirst, Policy, Strategy
from .chooser import Chooser, KernelEvent
from .clocks import Clocks
from .default_strategies import InOrder
from .errors import DeadlockError, HorizonError, OverlongError
from .event_protocols import Happening as Happening
from .event_protocols import WhenIdle
from .garbage import LOOK_EVERY, collect
from .same_instant import FAULTS, NEWS, WORK
from .tape import Tape
from .tasks import MOST_RANKS, Reason, current_greenlet, keep_tasks, kept_tasks
from .tasks import Rank as Rank
from .tasks import Runs as Runs
from .tasks import Task as Task

SECOND = 1_000_000_000


def nanoseconds(seconds: float) -> int:
    """Convert seconds to the kernel's integer nanoseconds, rounded to the nearest."""
    return round(seconds * SECOND)


class Kernel(Clocks):
    """Runs tasks in virtual time until every rank's program has ended.

    :param size: number of ranks.
    :param strategy: decides what a tape says nothing of.
    :param horizon: virtual nanoseconds after which the simulation is given up.
    :param max_events: number of events after which it is given up.
    :param tape: the alternatives to take first; with None and `InOrder`, nothing is asked and nothing recorded.
    :param ask_of_events: whether it is a choice which event of one instant and turn comes first.
    """

    def __init__(
        self,
        size: int,
        strategy: Strategy | Policy,
        *,
        horizon: int,
        max_events: int,
        tape: Tape | None = None,
        ask_of_events: bool = True,
    ):
        self.now = 0
        self.ranks = [Rank(i) for i in range(size)]
        #: the ranks that died, in that order.
        self.dead: list[Rank] = []
        self.hub = getcurrent()
        #: the cluster whose ranks these are; the kernel itself makes no use of it.
        self.cluster: Any = None
        #: called with the rank, right after a rank died.
        self.on_death: list[Callable[[Rank], None]] = []
        #: called with the rank, right after its program returned or raised.
        self.on_end: list[Callable[[Rank], None]] = []
        #: called with the rank, right before one of its tasks goes on; None: nobody wants to know.
        self.on_turn: Callable[[Rank], None] | None = None
        #: called with the rank, right before one of its tasks is ended from outside.
        self.on_close: Callable[[Rank], None] | None = None
        #: makes the choices; None: whatever is asked, the first alternative is taken.
        self.chooser: Chooser | None = None
        if tape is not None or type(strategy) is not InOrder:
            self.chooser = Chooser(tape or Tape(), strategy, self.fail)
        asked = self.chooser if ask_of_events else None
        self.events = None if asked is None else asked.events(self.describe)
        #: what may bring about more when nothing can run any more.
        self.when_idle: WhenIdle | None = None
        #: called now and then, between two events.
        self.meanwhile: Callable[[], None] | None = None
        #: called before time goes on, with the time of what comes next; returns whether others go first.
        self.when_later: Callable[[int], bool] | None = None
        self._horizon = horizon
        self._max_events = max_events
        #: events at one instant after which it is given up; it is looked now and then.
        self.most_at_once = max_events
        #: what is to happen, as `heapq` has it.
        self.heap: list[KernelEvent] = []
        #: what is to happen at the present time, and was scheduled at that time, in the two turns that most of it has:
        #: it comes in order, and needs no heap. Empty where it is a choice which event comes first.
        self.work_now: deque[tuple[Callable[[Any], None] | None, Any]] = deque()
        self.news_now: deque[tuple[Callable[[Any], None] | None, Any]] = deque()
        #: how many events were scheduled: the number of the last one.
        self.sequence = 0
        #: bound once: it is what most events call.
        self._go_on: Any = self._resume
        # Tasks that are over and can be taken; and all tasks, if they are to be kept.
        self._kept: list[Task] = []
        self._all: list[Task] = []
        #: whether tasks that are over wait until `give_back` is called.
        self.keeps = False
        self._programs = 0
        self._failure: BaseException | None = None
        #: whether the simulation is over, and what still waited is being ended.
        self.closing = False
        super().__init__()

    # -- what happens when -------------------------------------------------------------------------

    def at(self, when: int, call: Callable[[Any], None] | None, argument: Any, turn: int = WORK) -> None:
        """Schedule `call(argument)` at virtual time `when`, outside of every task, in a turn of `same_instant`."""
        self.sequence += 1
        if self.events is not None:
            self.events.add(self.heap, (when, turn, self.sequence, call, argument), turn)
        elif when == self.now and turn in (WORK, NEWS):
            (self.work_now if turn == WORK else self.news_now).append((call, argument))
        else:
            heappush(self.heap, (when, turn, self.sequence, call, argument))

    def in_order(self, when: int, turn: int, place: float, call: Callable[[Any], None], argument: Any) -> None:
        """Schedule a call as `at` does, at a fixed place in its turn, from 0 to below 1. This order is never a choice.
        Calls at one place run in the order in which they were scheduled.
        """
        self.sequence += 1
        heappush(self.heap, (when, turn + place, self.sequence, call, argument))

    def fault(self, when: int, call: Callable[[Any], None], argument: Any) -> None:
        """Schedule a fault of a rank or a link at virtual time `when`."""
        self.in_order(when, FAULTS, 0, call, argument)

    def start(self, rank: Rank, name: str, function: Callable[..., Any], *args: Any) -> Task:
        """Start a task of `rank` at the present time."""
        task = self.make(rank, name, function, *args)
        self.begin(task)
        return task

    def make(self, rank: Rank, name: str, function: Callable[..., Any], *args: Any) -> Task:
        """Make a task of `rank`, which somebody lets begin."""
        if self._kept:
            task = self._kept.pop()
            task.begin(self, rank, name, function, args)
        else:
            task = Task(self, rank, name, function, args)
        if self.keeps:
            self._all.append(task)
        rank.tasks.append(task)
        return task

    def begin(self, task: Runs) -> None:
        """Let a task begin at the present time."""
        self.at(self.now, self._go_on, task)

    def start_program(self, rank: Rank, function: Callable[..., Any], *args: Any) -> Task:
        """Start the program of `rank`; the simulation ends when all programs have."""
        task = rank.main = self.make(rank, "program", function, *args)
        self.at(self.now, self._go_on, task)
        self._programs += 1
        return task

    # -- what a task does --------------------------------------------------------------------------

    @property
    def task(self) -> Task:
        """The task that runs now."""
        current = getcurrent()
        assert isinstance(current, Task)
        return current

    def park(self, why: Reason, until: int | None = None, turn: int = WORK) -> bool:
        """Let others run until this task is woken, or until virtual time `until`.

        :param turn: that in which the time comes.
        :returns: whether it was woken (False: the time came).
        """
        if self.closing:
            raise GreenletExit
        task: Task = current_greenlet()
        if self.work is not None and task.worked_from:
            # Who parks has taken its place in some line, and may be called at once: others can't run before it parks.
            task.rank.paused_until = max(task.rank.paused_until, self.now) + self._worked(task)
        task.waits_for = why
        task.since = self.now
        task.deadline = until
        task.turn = turn
        task.parked = True
        task.timed_out = False
        if until is not None:
            timer = task.timer
            if timer is None or until < timer or (until == timer and turn < task.timer_turn):
                self._set_timer(task, until, turn)
        self.hub.switch()
        if self.work is not None:
            task.worked_from = self.work.clock()
        if task.interruption is not None:
            error, task.interruption = task.interruption, None
            try:
                raise error
            finally:
                del error  # it refers to this frame
        return not task.timed_out

    def _set_timer(self, task: Task, when: int, turn: int) -> None:
        task.timer, task.timer_turn = when, turn
        self.at(when, None, task, turn)

    def check_open(self) -> None:
        """End the task that runs now if the simulation is over.

        :raises GreenletExit: it is.
        """
        if self.closing:
            raise GreenletExit

    def wake(self, task: Runs, turn: int = WORK) -> None:
        """Let a parked task continue at the present time; no effect on a task that runs, or was woken already."""
        if task.parked:
            task.parked = False
            task.resume_turn = turn
            if self.events is None and turn == NEWS:  # as `at`, without its call: this is half of what happens
                self.sequence += 1
                self.news_now.append((self._go_on, task))
            else:
                self.at(self.now, self._go_on, task, turn)

    def interrupt(self, task: Task, error: BaseException) -> None:
        """Raise `error` in a waiting task at the present time, as Ctrl-C does in a process."""
        task.interruption = error
        self.wake(task)

    def compute(self, ns: int, why: Reason = "the end of its computation") -> None:
        """Let `ns` nanoseconds of this rank's work pass: longer if the rank is slow, or paused meanwhile."""
        task = self.task
        start, work = self.now, round(ns * task.rank.slowness)
        while (left := work - (self.now - start - task.rank.paused_between(start, self.now))) > 0:
            self.park(why, self.now + left)

    # -- what befalls a rank -----------------------------------------------------------------------

    def pause(self, rank: Rank, ns: int) -> None:
        """Pause `rank` for `ns` nanoseconds: nothing runs there, but messages still arrive."""
        start, end = max(rank.paused_until, self.now), self.now + ns
        if end > start:  # only what a pause adds to the one before: they are summed up
            rank.paused_until = end
            rank.pauses.append((start, end))

    def kill(self, rank: Rank) -> None:
        """End `rank` as `kill -9` would: nothing of it runs any more, not even a `finally`."""
        if rank.dead_at is not None:
            return
        rank.dead_at = self.now
        self.dead.append(rank)
        if rank.main is not None and rank.main.ended_at is None:
            self._programs -= 1
        for notice in self.on_death:
            notice(rank)
        if isinstance(getcurrent(), Task) and self.task.rank is rank:
            self._never_go_on()

    def fail(self, error: BaseException) -> None:
        """End the simulation early: `run` raises `error`."""
        if self._failure is None:
            self._failure = error
        if isinstance(getcurrent(), Task):
            self._never_go_on()

    def has_failed(self) -> bool:
        """Whether it ends early."""
        return self._failure is not None

    def give_up(self, why: str) -> None:
        """End the simulation from within whatever runs, with what each rank does. A signal may call this at any time,
        also more than once.
        """
        task = getcurrent()
        running = task if isinstance(task, Task) else None
        if self.closing:
            if running is not None:
                raise GreenletExit  # it does not end although it was told to
        else:
            self.fail(OverlongError(f"{why}:\n{self.report(running=running)}"))

    def _never_go_on(self) -> None:
        """What the task that runs now does last: it is woken to be ended."""
        self.hub.switch()
        raise GreenletExit

    # -- the loop ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until every program has ended.

        :raises DeadlockError: nothing can run any more, and a program has not ended.
        :raises HorizonError: virtual time or the number of events went past the horizon, or time stands still.
        """
        heap, work, news, horizon, left = self.heap, self.work_now, self.news_now, self._horizon, self._max_events
        pop = heappop if self.events is None else self.events.pop
        go_on = self._go_on
        on_turn, when_later = self.on_turn, self.when_later
        # When it was last looked how far time is, and how many events have come since, if it has stood still.
        looked_at, still = -1, 0
        turn: float
        while self._programs:
            if work:
                soon, turn = work, WORK
            else:
                soon, turn = news, NEWS
            # At one instant, what was scheduled earlier, and stands in the heap, comes before that.
            if soon and not (heap and heap[0][0] <= self.now and heap[0][1] <= turn):
                when, (call, argument) = self.now, soon.popleft()
            elif heap:
                if when_later is not None and heap[0][0] > self.now and when_later(heap[0][0]):
                    continue
                when, turn, _, call, argument = pop(heap)
            else:
                if self.when_idle is not None and self.when_idle.decide():
                    continue
                stuck = tuple(task.stuck() for task in self._waiting())
                raise DeadlockError("nothing can run any more, and somebody waits:\n" + self.report(), stuck)
            if call is None:
                # A task's timer. It is stale if the task was woken meanwhile, and early if it then
                # parked again for longer, or for a later turn: a task has at most one timer that
                # counts, however often it waits.
                task: Task = argument
                if task.timer != when:
                    continue
                task.timer = None
                if not task.parked or task.deadline is None:
                    continue
                if task.deadline > when or turn < task.turn:
                    self._set_timer(task, task.deadline, task.turn)
                    continue
                task.parked = False
                task.timed_out = True
                task.resume_turn = task.turn
                call = go_on
            if when > horizon:
                raise HorizonError(
                    f"virtual time went past the horizon of {exact_duration(horizon)}: "
                    f"give simulate(horizon=…) more, or look for what goes on for ever:\n{self.report()}"
                )
            left -= 1
            if left < 0:
                raise HorizonError(
                    f"more than {self._max_events} events by {exact_duration(self.now)}: "
                    f"give simulate(max_events=…) more, or look for what goes on for ever:\n{self.report()}"
                )
            if left % LOOK_EVERY == 0:
                collect()
                if self.meanwhile is not None:
                    self.meanwhile()
                still = still + LOOK_EVERY if self.now == looked_at else 0
                looked_at = self.now
                if still > self.most_at_once:
                    raise HorizonError(
                        f"time stands still: more than {self.most_at_once} events at {exact_duration(self.now)}: "
                        f"look for what goes on for ever:\n{self.report()}"
                    )
            self.now = when
            if call is go_on and argument.rank.dead_at is None and argument.rank.paused_until <= when:
                if on_turn is not None:
                    on_turn(argument.rank)
                    if self._failure is not None:  # Ctrl-C
                        raise self._failure
                argument.switch()
            else:
                call(argument)
            if self._failure is not None:
                raise self._failure

    def _waiting(self) -> list[Task]:
        """The tasks that wait, the programs first."""
        waiting = [t for r in self.ranks if r.dead_at is None for t in r.tasks if t.ended_at is None]
        waiting.sort(key=lambda t: t is not t.rank.main)
        return waiting

    def report(self, limit: int = 50, running: Task | None = None) -> str:
        """Return a line for each task that waits, the programs first, and what became of the other ranks.

        :param running: the task that runs now, which is named before all others.
        """
        waiting = self._waiting()
        if running is not None:
            waiting = [running, *(t for t in waiting if t is not running)]
        lines = ["  " + (t.report_running() if t is running else t.report()) for t in waiting[:limit]]
        if len(waiting) > limit:
            lines.append(f"  … and {len(waiting) - limit} more")
        for rank in self.ranks:
            if rank.dead_at is not None:
                lines.append(f"  rank {rank.index} died at {exact_duration(rank.dead_at)}")
            elif rank.main is not None and rank.main.ended_at is not None and len(self.ranks) <= limit:
                how = "ended" if rank.main.error is None else "raised"
                lines.append(f"  rank {rank.index} {how} at {exact_duration(rank.main.ended_at)}")
        return "\n".join(lines)

    def is_idle(self, event: KernelEvent) -> bool:
        """Return whether nothing comes of an event in which a task goes on."""
        when, turn, _, call, task = event
        if task.rank.dead_at is not None:
            return True
        return call is None and (task.timer != when or not task.parked or task.deadline != when or turn < task.turn)

    def describe(self, event: KernelEvent) -> ComesFirst:
        """Return the alternative that stands for an event in a choice among several events."""
        _, _, _, call, argument = event
        if isinstance(argument, Runs):
            return ComesFirst(argument.rank.index, f"{argument.title()} goes on", self.is_idle(event))
        owner = getattr(call, "__self__", None)
        return owner.happening(argument) if isinstance(owner, Happening) else ComesFirst(None, repr(call))

    def close(self) -> None:
        """End the tasks that still wait. Their `finally` blocks run, but can't change the simulation any more."""
        self._close(True)
        for rank in self.ranks:
            for task in rank.tasks.copy():
                if not task.over:
                    if self.on_close is not None:
                        self.on_close(rank)
                    task.end()
            rank.tasks.clear()
        for line in (self.heap, self.work_now, self.news_now):
            line.clear()
        if self.events is not None:
            self.events.clear()

    def keep_tasks(self) -> None:
        """Use tasks that `give_back` kept, in place of new ones: for a small simulation, which calls `give_back` at its
        end.
        """
        if len(self.ranks) <= MOST_RANKS:
            self._kept, self.keeps = kept_tasks(self.hub), True

    def give_back(self) -> None:
        """Keep the tasks for the next simulation, once all are over and nobody asks what became of them."""
        self._go_on = self.cluster = self.chooser = self.events = self.when_idle = self.when_later = None
        if self.keeps:
            self._last_reading = None
            for rank in self.ranks:
                rank.main = None
            keep_tasks(self._all, self._kept)

    def reopen(self) -> None:
        """Allow programs to be started again, also after `close`."""
        self._close(False)
        self._failure, self._programs = None, 0

    def _close(self, closing: bool) -> None:
        self.closing = closing
        if self.chooser is not None:
            self.chooser.closed = closing

    def _resume(self, task: Task) -> None:
        """What `run` calls for a task whose rank is dead or paused; it lets all others go on itself."""
        if task.rank.dead_at is None:
            self.at(task.rank.paused_until, self._go_on, task, task.resume_turn)

    def ended(self, task: Task) -> None:
        """Note that a task has ended."""
        task.ended_at = self.now
        rank = task.rank
        if task is rank.main:
            self._programs -= 1
            for notice in self.on_end:
                notice(rank)
            if isinstance(task.error, KeyboardInterrupt):  # Ctrl-C, in a line outside of the program
                self.fail_in_task(task)
        else:
            rank.tasks.remove(task)
            if task.error is not None:
                self.fail_in_task(task)

    def fail_in_task(self, task: Task) -> None:
        """End the simulation with the exception of a task that nobody joins, which would be lost otherwise."""
        assert task.error is not None
        where = f"in task {task.name!r} of simulated rank {task.rank.index}"
        add_note(task.error, f"{where} at {exact_duration(self.now)}")
        if self._failure is None:
            self._failure = task.error
