"""Draws schedules until a budget is spent: one after the other, or each process its share of the same numbers.

`strategies` maps numbers to schedules; so the findings for a budget in schedules do not depend on the number of
processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..errors import OverlongError
from ..tape import Tape
from .drawing import Drawn
from .findings import Finding
from .processes import in_processes
from .schedules import Runner, Schedule
from .strategies import rule_of

#: What tells schedules apart: what was decided, by rank.
Order = tuple[tuple[int, tuple[tuple[int, int], ...]], ...]


class Found(NamedTuple):
    """A schedule that is new, and has something wrong.

    :ivar number: which it is, of those that the strategy draws.
    :ivar tape: its choices.
    """

    number: int
    tape: Tape


class Share(NamedTuple):
    """What one process has drawn.

    :ivar drawn: how many schedules.
    :ivar orders: those that were different.
    :ivar found: those with something wrong that none before it had in the same way.
    :ivar interrupted: whether Ctrl-C has ended it.
    :ivar overlong: where ranks were in a schedule that was given up; "" if none was.
    """

    drawn: int
    orders: set[Order]
    found: list[Found]
    interrupted: bool
    overlong: str


class Sampling:
    """Draws schedules by a strategy.

    :param length: the number of steps of a schedule.
    :param late: whether receives from any rank are matched late.
    :param begin: the number of the first schedule.
    """

    def __init__(self, run: Runner, strategy: str, seed: int, length: int, late: bool, begin: int):
        self._run, self._strategy, self._seed = run, strategy, seed
        self._length, self._late, self._begin = length, late, begin

    def schedule(self, number: int) -> tuple[Order, Schedule]:
        """The schedule of a number, with what tells its order from others."""
        drawn = Drawn(rule_of(self._strategy, self._seed, self._begin + number, self._length))
        schedule = self._run(drawn, None, late=self._late)
        return tuple((rank, tuple(drawn.order[rank])) for rank in sorted(drawn.order)), schedule

    def shares(
        self, jobs: int, most: int | None, spent: Callable[[], bool], findings: Callable[[Schedule], list[Finding]],
        budget: float | None,
    ) -> Iterator[Share]:  # fmt: skip
        """What each process has drawn: every `jobs`-th number.

        :param most: schedules that are drawn at the most, by all of them.
        :param spent: whether the budget is, but for that.
        :param findings: what is wrong with a schedule.
        :param budget: seconds for each of them.
        """

        def share(first: int) -> Share:
            orders: set[Order] = set()
            found: list[Found] = []
            known: set[Any] = set()
            number, interrupted, overlong = first, False, ""
            try:
                with self._run.overtime.within(budget):
                    while (most is None or number < most) and not spent():
                        order, schedule = self.schedule(number)
                        if order not in orders:
                            orders.add(order)
                            for each in findings(schedule):
                                if each.key not in known:
                                    known.add(each.key)
                                    found.append(Found(number, schedule.simulation.tape))
                        number += jobs
            except KeyboardInterrupt:
                interrupted = True
            except OverlongError as error:
                overlong = str(error)
            return Share(len(range(first, number, jobs)), orders, found, interrupted, overlong)

        calls = [lambda first=first: share(first) for first in range(jobs)]
        return in_processes(calls, jobs)
