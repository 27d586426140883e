"""Turns of the threads of a rank, where time is set aside: each operation on what they share is decided late.

Who asks for a lock, gives it back, puts into a queue or takes from it, begins, ends a sleep, sends, or begins to
receive gets its turn when nothing else can run. Then all threads of the rank are at their next operation, whatever
takes how long, and those on one object are alternatives; on different objects they are independent. It is decided as
turns at windows are (`late_turns`, `matches`). What threads do between two operations is not seen.

A rank takes part from when it starts its first thread. What the operations are belongs to `python.locks` and others.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Hashable
from enum import Enum
from typing import Any

from .choices import GoesOn, Kind
from .kernel import Task
from .late_turns import Asked, Late, LateTurns
from .standstill import Standstill, standstill
from .tasks import Reason

#: Turns of one thread, with none of any other meanwhile, after which it is looked whether it is where it was; and after
#: which others go first in any case.
SPINS, MOST_SPINS = 3, 100


class ThreadOperation(Enum):
    """What a thread asks to do with an object."""

    #: To have a lock.
    ACQUIRE = "acquire"
    #: To give it back.
    RELEASE = "release"
    #: To put into a queue.
    PUT = "put"
    #: To wait for an item of it.
    GET = "get"
    #: To look at a lock or queue without waiting.
    LOOK = "look"
    #: Anything else: it is never possible at the same time as another one of these.
    STEP = "step"

    def conflicts(self, other: ThreadOperation) -> bool:
        """Whether it matters which of two comes first, and each of them could."""
        return self is other or ThreadOperation.LOOK in (self, other)


class ThreadTurns(LateTurns):
    """The turns at one object that threads of a rank share.

    :param threads: all turns of threads.
    :param what: the object; it is kept, so that no other one gets its id.
    :param call: what is asked for there, for choices.
    :param free: whether an operation is possible now.
    :param items: how many items a queue has.
    """

    def __init__(
        self,
        late: Late,
        threads: OfThreads,
        owner: int,
        what: Any,
        call: str,
        free: Callable[[ThreadOperation], bool] | None,
        items: int = 0,
    ):
        super().__init__(late, owner, Kind.THREAD, int, free)
        self.what, self.call, self._threads = what, call, threads
        #: by item of a queue: how many steps were decided when it was put there.
        self._puts = deque([0] * items)

    def since(self, asked: Asked) -> int:
        """How many steps were decided when what one asks for came to be there."""
        if asked.use is ThreadOperation.GET:
            return self._puts[0] if self._puts else 0
        return super().since(asked)

    def take(self, asked: Asked) -> None:
        """It was decided whose turn it is."""
        self.asked.remove(asked)
        self.number += 1
        if asked.use is ThreadOperation.PUT:
            self._puts.append(self._late.decided)
        elif asked.use is ThreadOperation.GET and self._puts:
            self._puts.popleft()
        elif asked.use is ThreadOperation.RELEASE:
            self._freed[ThreadOperation.ACQUIRE] = self._late.decided
        self._threads.had(asked.source, self._late.progress)
        asked.act()

    def _waits_for_change(self, asked: Asked) -> bool:
        return self._threads.spins(asked.source, self._late.progress)


class _Spin:
    """Turns that one thread had while nothing else was decided."""

    __slots__ = ("known", "progress", "same", "turns")

    def __init__(self) -> None:
        self.progress = -1
        self.turns = 0
        self.known: list[Standstill] = []
        self.same = False


class OfThreads:
    """The turns of all threads of a run.

    :param late: decides them.
    :ivar withheld: whether others went first since one thread had so many turns.
    """

    def __init__(self, late: Late):
        self.withheld = False
        #: whether somebody waited who would not have waited for ever.
        self.limited = False
        self._late = late
        self._limits: dict[Task, int] = {}
        self._places: dict[Hashable, ThreadTurns] = {}
        self._numbers: dict[Task, int] = {}
        self._spins: dict[int, _Spin] = {}

    def dissolve(self) -> None:
        """Drop the references to tasks and to what decides, once the run is over: what was noted stays."""
        for noted in (self._limits, self._places, self._numbers):
            noted.clear()
        del self._late

    def place(
        self, task: Task, key: Hashable, what: Any, call: str, free: Callable[[ThreadOperation], bool] | None = None,
        items: Callable[[], int] = int,
    ) -> ThreadTurns:  # fmt: skip
        """Return where threads of the task's rank take turns for an object."""
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = ThreadTurns(self._late, self, task.rank.index, what, call, free, items())
        return found

    def number(self, task: Task) -> int:
        """Return a number for a thread."""
        return self._numbers.setdefault(task, len(self._numbers))

    def ask(self, task: Task, place: ThreadTurns, operation: ThreadOperation, act: Callable[[], object]) -> Asked:
        """Let a thread ask for its turn."""
        asked = Asked(self.number(task), operation, GoesOn(task.rank.index, task.title()), act, task)
        self._spins.setdefault(asked.source, _Spin()).same = False
        place.ask(asked)
        return asked

    def had(self, number: int, progress: int) -> None:
        """A thread had its turn."""
        spin = self._spins.setdefault(number, _Spin())
        if spin.progress != progress - 1:
            spin.turns, spin.known = 0, []
        spin.progress = progress
        spin.turns += 1

    def spins(self, number: int, progress: int) -> bool:
        """Whether a thread is where it was, and nothing else was decided meanwhile; or had too many turns."""
        spin = self._spins[number]
        if spin.progress != progress:
            return False
        if spin.turns >= MOST_SPINS:
            self.withheld = True
            return True
        return spin.same

    def turn(
        self, task: Task, place: ThreadTurns, operation: ThreadOperation, why: Reason, limit: int | None = None
    ) -> bool:  # fmt: skip
        """Let the running thread wait for its turn. Return whether it has it.

        :param limit: the time until which it waits if nothing else can go on; None: any time.
        """
        had: list[bool] = []

        def act() -> None:
            had.append(True)
            task.kernel.wake(task)

        asked = self.ask(task, place, operation, act)
        spin = self._spins[asked.source]
        if spin.turns >= SPINS:
            here = standstill(sys._getframe(1), (place.rank, operation), task.rank)
            spin.same = here.first_time(spin.known) is not None
            spin.known.append(here)
        try:
            self.wait(task, lambda: bool(had), why, limit)
        finally:
            if not had:
                self._late.forgets(place, asked)
        return bool(had)

    # -- waits with a limit ------------------------------------------------------------------------

    def wait(self, task: Task, given: Callable[[], bool], why: Reason, limit: int | None) -> None:
        """Let the running task wait until something is given to it; until a time only if nothing else can go on."""
        if limit is None:
            while not given():
                task.kernel.park(why)
            return
        if limit <= task.kernel.now and not given():
            return
        self.limited = True
        self._limits[task] = limit
        try:
            while not given() and task in self._limits:
                task.kernel.park(why)
        finally:
            self._limits.pop(task, None)

    def time_out(self, until: int | None) -> bool:
        """Let the wait whose limit comes first end by it, since nothing else can go on. Return whether there is one.

        :param until: no later than that.
        """
        for task in [each for each in self._limits if each.ended_at is not None or each.rank.dead_at is not None]:
            del self._limits[task]
        if not self._limits:
            return False
        task = min(self._limits, key=self._limits.__getitem__)
        limit = self._limits[task]
        if until is not None and limit > until:
            return False
        del self._limits[task]
        task.kernel.at(max(limit, task.kernel.now), task.kernel.wake, task)
        return True


def turns_of(task: Task) -> OfThreads | None:
    """Return where the threads of a task's rank take turns; None: they don't, as the rank has none, or time goes on."""
    if not task.rank.threaded or task.kernel.closing:
        return None
    late = task.kernel.cluster.late
    return None if late is None else late.threads


def step(task: Task, key: Hashable, what: Any, call: str) -> None:
    """Let the running task wait for its turn at an object, if its rank has threads whose turns are decided late."""
    turns = turns_of(task)
    if turns is not None:
        turns.turn(task, turns.place(task, key, what, call), ThreadOperation.STEP, f"its turn at {call}")


def let_others_go_on(task: Task) -> None:
    """Let the running task go on only when nothing else can, where it is decided late what comes first."""
    late = task.kernel.cluster.late
    if late is not None and not task.kernel.closing:
        late.threads.wait(task, lambda: False, "others to go on", task.kernel.now + 1)


#: What threads that begin, or have slept, take turns at; and what that is called.
GOES_ON, GOING_ON = "goes on", "a start or a sleep"
