"""Compares two traces: their first difference, and the strategies that took longer.

The result is data. Formatting it belongs to the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from .format import Trace, fields_of
from .summary import StrategySummary, Summary

__all__ = ["Difference", "EventMapping", "StrategyChange", "first_difference", "strategy_changes"]

#: An event of a trace: its fields by their names, as `bsbpool.trace.format.fields_of` gives them.
EventMapping: TypeAlias = Mapping[str, Any]

#: Fields that hold a time: they differ between any two runs on real ranks.
TIMES = frozenset({"t", "started", "ended"})
#: Kinds of events that are measurements too: how much memory a process had, and when that grew, is chance.
MEASURED = frozenset({"memory"})
#: Kinds of events that are no part of what happened: where in a file an error was raised changes as lines move.
PLACES = frozenset({"traceback"})

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of two traces.

    :ivar numbers: the place of `left` and of `right` in its trace, from 1, counting all events: an event stands
        one line further down in the file, below the header. Past the end where a trace has no more events.
    :ivar left: the event of the first trace; None if it has ended.
    :ivar right: that of the second.
    :ivar fields: names of the fields in which they differ; empty if one of them is missing.
    :ivar before: the last events before that, of both, as the first trace has them.
    :ivar after_left: the next events of the first trace.
    :ivar after_right: those of the second.
    """

    numbers: tuple[int, int]
    left: EventMapping | None
    right: EventMapping | None
    fields: tuple[str, ...]
    before: tuple[EventMapping, ...]
    after_left: tuple[EventMapping, ...]
    after_right: tuple[EventMapping, ...]


def first_difference(
    a: Trace | Iterable[EventMapping],
    b: Trace | Iterable[EventMapping],
    *,
    times: bool = False,
    kinds: Collection[str] | None = None,
    ignoring: Collection[str] = (),
    context: int = 3,
) -> Difference | None:
    """Find the first event in which two traces, or lists of events, differ; None if they have the same in that order.

    A pool is known by its place among the pools of its trace, so that ids need not be equal.

    :param times: whether what was measured has to be equal too: times, to the nanosecond, and memory, to the byte.
    :param kinds: kinds of events to compare; by default all, without tracebacks.
    :param ignoring: names of fields that may differ.
    :param context: how many events before and after it are told.
    """
    skipped = frozenset(ignoring) if times else TIMES.union(ignoring)
    left_out = PLACES if times else PLACES | MEASURED
    left, right = _Side(a, kinds, left_out, skipped), _Side(b, kinds, left_out, skipped)
    before: deque[EventMapping] = deque(maxlen=context)
    while True:
        one, other = left.next(), right.next()
        if one is None and other is None:
            return None
        if one is None or other is None or one != other:
            break
        before.append(left.event)
    fields = () if one is None or other is None else _differing(one, other)
    return Difference(
        numbers=(left.number, right.number),
        left=None if one is None else left.event,
        right=None if other is None else right.event,
        fields=fields,
        before=tuple(before),
        after_left=tuple(left.rest(context)),
        after_right=tuple(right.rest(context)),
    )


class _Side:
    """Reads one of the two traces event by event.

    :ivar event: the event that is being compared.
    :ivar number: its place in the trace, from 1.
    """

    def __init__(
        self, events: Trace | Iterable[EventMapping], kinds: Collection[str] | None, left_out: Collection[str],
        skipped: Collection[str],
    ):  # fmt: skip
        self._events = map(fields_of, events.events) if isinstance(events, Trace) else iter(events)
        self._wanted: Callable[[EventMapping], bool] = (
            (lambda e: e["e"] not in left_out) if kinds is None else (lambda e: e["e"] in kinds)
        )
        self._skipped = skipped
        self._pools: dict[str, int] = {}
        self.event: EventMapping = {}
        self.number = 0

    def next(self) -> dict[str, Any] | None:
        """Return the part of the next event that is compared; None at the end."""
        for event in self._events:
            self.number += 1
            if not self._wanted(event):
                continue
            self.event = event
            compared = {
                # A trace that was read may have tuples where one that was recorded here has lists.
                key: tuple(value) if type(value) is list else value
                for key, value in event.items()
                if key not in self._skipped
            }
            if "pool" in compared:
                pools = self._pools
                compared["pool"] = pools.setdefault(repr(compared["pool"]), len(pools))
            return compared
        self.number += 1
        return None

    def rest(self, count: int) -> Iterator[EventMapping]:
        """Return up to `count` of the events that follow."""
        return islice(filter(self._wanted, self._events), count)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    names = dict.fromkeys([*one, *other])
    return tuple(name for name in names if one.get(name, _MISSING) != other.get(name, _MISSING))


@dataclass(frozen=True, slots=True)
class StrategyChange:
    """The jobs of one strategy in two runs; a run that had none of them has an empty summary."""

    name: str
    left: StrategySummary
    right: StrategySummary

    @property
    def seconds(self) -> float:
        """How much longer all its jobs together ran in the second run; negative if they ran shorter.

        Where some were cut off it is known of as many as ran to their end in both, by what one took on average.
        """
        if self.cut:
            return (self.right.mean - self.left.mean) * min(self.left.timed, self.right.timed)
        return self.right.total - self.left.total

    @property
    def cut(self) -> bool:
        """Whether jobs were cut off in one of the runs, so that their times in total can't be compared."""
        return bool(self.left.cut or self.right.cut)

    @property
    def factor(self) -> float | None:
        """How many times as long one of its jobs ran on average; None if none ran to its
        end in one of the runs.
        """
        return self.right.mean / self.left.mean if self.left.mean and self.right.timed else None


def strategy_changes(left: Summary, right: Summary) -> tuple[StrategyChange, ...]:
    """Return all strategies of two runs, that with the largest change of total time first."""
    a = {strategy.name: strategy for strategy in left.strategies}
    b = {strategy.name: strategy for strategy in right.strategies}
    changes = [
        StrategyChange(name, a.get(name, StrategySummary(name)), b.get(name, StrategySummary(name)))
        for name in dict.fromkeys([*a, *b])
    ]
    changes.sort(key=lambda change: -abs(change.seconds))
    return tuple(changes)
