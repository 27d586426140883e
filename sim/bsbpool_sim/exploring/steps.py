"""The steps of one run: messages that ranks sent and received, their collective calls, choices, faults, and events of
job pools.

`nearest_run` decides which runs are examined; `side_by_side` and `findings_page` show the steps.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from bsbpool import wording
from bsbpool.trace.events import Event as TraceEvent

from ..choices import Choice, ComesFirst, Kind, TooEarly
from ..cluster import Cluster
from ..places import place_of
from .schedules import Schedule

#: What a step is.
SENDS, TAKES, CALLS, CHOICE, FAULT, TOLD = "sends", "takes", "calls", "choice", "fault", "told"

#: Events of job pools that are steps.
_OF_POOLS = ("status", "pool_status", "lost", "stuck", "returned", "cancel", "ping", "by_hand")


class Step(NamedTuple):
    """Something that happened.

    :ivar t: virtual nanoseconds.
    :ivar rank: the rank at which it happened; None: at none.
    :ivar kind: what it is.
    :ivar text: it, in words.
    :ivar where: file and line of the program's call; "" if it has none.
    :ivar other: the rank that a message is sent to, or was taken from; None: there is no message.
    :ivar tag: that message's tag.
    """

    t: int
    rank: int | None
    kind: str
    text: str
    where: str
    other: int | None = None
    tag: int | None = None


class Noting:
    """The strategy that takes some departures from what happens by default, and notes the steps of the run.

    :param departures: the alternatives that are taken, by the number of the choice.
    :param marked: choices that are noted although what happens by default is taken.
    """

    def __init__(self, departures: Mapping[int, int], marked: Collection[int] = ()):
        self._departures = departures
        self._marked = marked
        # What is noted, each with how many events the trace had before it.
        self._notes: list[tuple[int, Step]] = []
        self._places: dict[int, str] = {}

    def install(self, cluster: Cluster) -> None:
        """The run begins on this cluster."""
        self._cluster = cluster
        cluster.observed = self
        record = cluster.recorder.record

        def noted(event: tuple[Any, ...]) -> None:
            if event[0] == "receive":
                self._places[self._so_far()] = _where()
            record(event)

        cluster.recorder.record = noted

    def _so_far(self) -> int:
        return len(self._cluster.recorder.trace)

    def _note(self, rank: int | None, kind: str, text: str, where: str, *message: int) -> None:
        self._notes.append((self._so_far(), Step(self._cluster.kernel.now, rank, kind, text, where, *message)))

    def pick(self, choice: Choice) -> int:
        """Pick what the departures have."""
        index = self._departures.get(choice.number, 0)
        if index or choice.number in self._marked:
            where = choice.where.partition(" in ")[0]
            self._note(choice.who, CHOICE, chosen(choice, index), where)
        return index

    def gave(self, rank: int, what: Any, dest: int | None = None, tag: int | None = None, call: str = "") -> None:
        """A rank sends a message, or brings something to a collective call."""
        if dest is None or tag is None:
            place = place_of(sys._getframe(1))
            self._note(rank, CALLS, f"rank {rank} calls {place.call or 'a collective call'}", _where())
        else:
            self._note(rank, SENDS, f"rank {rank} sends to rank {dest}, tag {tag}", _where(), dest, tag)

    def ended(self, rank: int, namespace: Mapping[str, Any]) -> None:
        """The script of a rank has ended."""

    def steps(self, schedule: Schedule, told: Callable[[TraceEvent], str]) -> tuple[Step, ...]:
        """The steps of the run that came of it.

        :param told: an event of a job pool, in words.
        """
        steps: list[Step] = []
        notes = self._notes[::-1]
        for number, event in enumerate(schedule.simulation.trace.events):
            while notes and notes[-1][0] <= number:
                steps.append(notes.pop()[1])
            if event.e == "receive":
                text = f"rank {event.rank} takes the message of rank {event.source}, tag {event.tag}"
                where = self._places.get(number, "")
                step = Step(event.t, event.rank, TAKES, text, where, event.source, event.tag)
                if steps and (steps[-1][1:3], steps[-1][4:]) == ((event.rank, CHOICE), (where, None, None)):
                    steps[-1] = steps[-1]._replace(other=event.source, tag=event.tag)  # it says so
                else:
                    steps.append(step)
            elif event.e == "fault":
                steps.append(Step(event.t, event.rank, FAULT, _fault(event), ""))
            elif event.e in _OF_POOLS:
                steps.append(Step(event.t, getattr(event, "rank", None), TOLD, told(event), ""))
        return (*steps, *(step for _, step in reversed(notes)))


def _where() -> str:
    """The line of the program's that is run now."""
    place = place_of(sys._getframe(2))
    return f"{place.file}:{place.line}" if place.line else ""


def _fault(event: Any) -> str:
    return wording.event("fault", event._asdict())


def chosen(choice: Choice, index: int) -> str:
    """What is chosen, in words."""
    taken = choice.alternatives[index]
    if isinstance(taken, TooEarly):
        return f"{choice.call} of rank {choice.who} finds nothing yet"
    if choice.kind is Kind.MESSAGE:
        return f"{choice.call} of rank {choice.who} takes {taken}"
    if choice.kind is Kind.FAULT:
        return str(taken)
    if choice.kind in (Kind.RECEIVER, Kind.EVENT) and isinstance(taken, ComesFirst):
        return f"first {taken}"
    return f"{choice.question}: {taken}"


def shorter(where: str) -> str:
    """A file and line without the folder."""
    return os.path.basename(where)
