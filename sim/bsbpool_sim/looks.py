"""Looks: tests and probes that do not wait. Each may come too early and find nothing, whatever is there.

When nothing else can run, everything that a look could find is there, and each of these is an alternative, as for a
receive from any rank (`matches`). A further alternative is that the look finds nothing. MPI allows this: that a message
was sent does not imply that it has arrived. Once a message was found, later looks find it again.

A task that looks again in the same state waits: finding nothing again would lead back to the same state. So it is only
given what it can find, or waits until there is something. `standstill` decides whether the state is the same. A program
that counts its looks is never in the same state; at one line it finds nothing at most `LOOKS` times.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, Protocol

from .choices import Alternative, Kind, TooEarly
from .kernel import Kernel, Task
from .late_turns import LOOKS
from .standstill import Standstill, standstill

#: Virtual nanoseconds that a look takes which finds nothing. Who looks in a loop looks again after so long, and each
#: time after twice as long, while others only wait for later times.
LOOK_AGAIN_NS = 1000

#: What a look ends with that comes too early; and the number that stands for it among what a look may find.
TOO_EARLY: Any = TooEarly()
NOTHING = 1 << 62


class Look:
    """A test or a probe, until it is decided what it finds.

    :param call: the function of MPI.
    :param kind: what is chosen: a message, or a request.
    :param found: returns what it can find: each time more, perhaps.
    :param text: what that is as an alternative.
    :param source: a number for what it can find, such as the rank whose message it is.
    :param what: what it looks at, by numbers that are the same in each run.
    :param takes: whether a message that was sent later to this place could have been found, or what it completes.
    :param why: what it looks for, in words; "" if nobody knows.
    :ivar ended: what it has found; None: it is not decided.
    :ivar offers: whether it may find nothing though something is there.
    """

    def __init__(
        self, kernel: Kernel, call: str, kind: Kind, found: Callable[[], Sequence[Any]],
        text: Callable[[Any], Alternative], source: Callable[[Any], int], what: Hashable,
        takes: Callable[[Any, Any], bool], why: Callable[[], str],
    ):  # fmt: skip
        self.call, self.kind, self.found, self.takes = call, kind, found, takes
        self.what = what
        self._text, self._source, self._why = text, source, why
        self.ended: Any = None
        self.offers = True
        #: whether something else of its rank could have come next when it found nothing.
        self.passed_over = False
        self.number = self.since = 0
        self.task = kernel.task
        self._kernel = kernel
        self._until = kernel.now + LOOK_AGAIN_NS

    def waits_for(self) -> str:
        """Return what it waits for that looks again and again, in words."""
        return f"{self._why() or 'what does not come'}, in a loop of {self.call}"

    def done(self) -> Sequence[Any]:
        """What it may end with now."""
        return [*self.found(), TOO_EARLY] if self.offers else self.found()

    def text(self, item: Any) -> Alternative:
        """What it may end with, as an alternative."""
        return TOO_EARLY if item is TOO_EARLY else self._text(item)

    def key(self, item: Any) -> int:
        """The number that stands for what it may end with."""
        return NOTHING if item is TOO_EARLY else self._source(item)

    def end(self, item: Any) -> None:
        """Set what it has found. If that is nothing, its time passes."""
        self.ended = item
        if item is TOO_EARLY:
            self._kernel.at(max(self._kernel.now, self._until), self._kernel.wake, self.task)
        else:
            self._kernel.wake(self.task)


class _Poller:
    """A task that waits to look again.

    :param look: when it looks again, if others only wait for later times.
    """

    def __init__(self, task: Task, look: int):
        self.task = task
        self.look = look
        self.called = False


class _Vain(NamedTuple):
    """A look that has found nothing.

    :ivar decided: how many steps were decided before it.
    :ivar passed_over: whether something else of its rank could have come next.
    """

    place: Standstill
    decided: int
    passed_over: bool


class Steps(Protocol):
    """Interface of what decides the looks: `matches.LateMatching`.

    :ivar decided: how many steps were decided.
    """

    decided: int

    def begins(self, look: Look) -> None:
        """A look begins to wait."""

    def gives_up(self, look: Look) -> None:
        """A look waits no longer."""


class Looks:
    """All tests and probes of a run that do not wait.

    :ivar withheld: whether somebody was given what it looked for since it had looked in vain so many times.
    :ivar vain: by task: the looks in vain since its rank has done anything that others can see.
    :ivar repeated: whether a task is where it was, and has passed over something that it could have found there.
    """

    def __init__(self, kernel: Kernel, steps: Steps):
        self.withheld = self.repeated = False
        #: messages that were found, and may still be there.
        self.seen: set[Any] = set()
        self._kernel, self._steps = kernel, steps
        self._numbers = 0
        self._pollers: dict[Task, _Poller] = {}
        #: how long each of them waits at most while others wait for later times, in virtual nanoseconds.
        self._patience: dict[Task, int] = {}
        self.vain: dict[Task, list[_Vain]] = {}
        #: by task: how often it was where it was before, and found nothing again, since anybody did anything else.
        self._around: dict[Task, int] = {}

    def dissolve(self) -> None:
        """Drop the references to tasks and to what decides, once the run is over: what was noted stays."""
        self._pollers.clear()
        self._patience.clear()
        self.vain.clear()
        self._around.clear()
        del self._steps

    def find(self, look: Look, known: bool = False) -> Any:
        """Let the running task look. Return what it finds; None: nothing.

        :param known: whether its program knows that something is there.
        """
        task = look.task
        if known:
            look.offers = False
            self._steps.begins(look)
            self._kernel.park(f"{look.call} to look")
            self.happened(task.rank.index)
            return look.ended
        place = standstill(sys._getframe(1), look.what, task.rank)
        vain = self.vain.get(task, [])
        again = place.first_time([each.place for each in vain])
        if again is not None:
            look.offers = False
            if self._steps.decided - vain[again].decided == len(vain) - again:
                self.repeated = self.repeated or any(each.passed_over for each in vain[again:])
        elif sum(each.place[:2] == place[:2] for each in vain) >= LOOKS:
            look.offers = False
        if again is None:
            self._around.clear()
        self._steps.begins(look)
        if look.offers:
            self._kernel.park(f"{look.call} to look")
            if look.ended is TOO_EARLY:
                vain = self.vain.setdefault(task, [])
                vain.append(_Vain(place, self._steps.decided - 1, look.passed_over))
                return None
        else:
            self._wait(task, look)
            if look.ended is None:
                self._steps.gives_up(look)
                self._around[task] = self._around.get(task, 0) + 1
                return None
            self.withheld = self.withheld or again is None
        self.happened(task.rank.index)
        return look.ended

    def number(self, looked_at: Any) -> int:
        """Return the number of something that is looked at: in the order in which it first was."""
        if looked_at.number_of_look is None:
            self._numbers += 1
            looked_at.number_of_look = self._numbers
        number: int = looked_at.number_of_look
        return number

    def happened(self, rank: int) -> None:
        """A rank has done what others can see: whether it was where it is does not matter any more."""
        self._around.clear()
        for task in [each for each in self.vain if each.rank.index == rank]:
            del self.vain[task]

    # -- waiting for something to find -------------------------------------------------------------

    def _wait(self, task: Task, look: Look) -> None:
        patience = self._patience[task] = 2 * self._patience.get(task, LOOK_AGAIN_NS // 2)
        self._pollers[task] = _Poller(task, self._kernel.now + patience)
        self._kernel.park(look.waits_for)
        self._pollers.pop(task, None)

    def before(self, later: int) -> None:
        """Time goes on, since others wait for it: perhaps for one who is to look again."""
        for poller in self._pollers.values():
            if poller.look <= later and not poller.called:
                self._call(poller, max(poller.look, self._kernel.now))

    def in_vain(self) -> bool:
        """Return whether all who look again have been around their loops, found nothing, and are where they were.

        It is asked when nothing else can run. So nothing will ever be found.
        """
        return bool(self._pollers) and all(
            self._around.get(task, 0) > len(self.vain.get(task, ())) + 1 for task in self._pollers
        )

    def call_all(self) -> bool:
        """Let all who wait look again, since nothing else can run. Return whether there are some.

        They may wait for a time that their program has set itself, and that is far away: a look takes at least a
        hundredth of the present time.
        """
        now = self._kernel.now
        for poller in self._pollers.values():
            self._call(poller, now + max(LOOK_AGAIN_NS, now // 100))
        return bool(self._pollers)

    def _call(self, poller: _Poller, when: int) -> None:
        poller.called = True
        self._kernel.at(when, self._wake, poller)

    def _wake(self, poller: _Poller) -> None:
        # Who was woken before may wait for something else now.
        if self._pollers.get(poller.task) is poller:
            self._kernel.wake(poller.task)
