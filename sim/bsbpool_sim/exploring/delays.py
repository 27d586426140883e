"""Finds the smallest delays of links with which a finding occurs in virtual time, without any choice.

Exploring ignores time, so a finding may seem unlikely on a cluster. Here the program is run in virtual time, with
messages of some links delayed, until it shows the finding. Every result was confirmed by a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..checks.audit import KINDS
from ..cluster import Cluster
from ..default_strategies import InOrder
from .findings import Finding
from .schedules import Runner, Schedule
from .steps import CHOICE, FAULT, SENDS, Step

#: Runs that one finding may take, of these so many to make a delay shorter, and links that are tried alone.
MOST_RUNS, TO_SHORTEN, ALONE = 60, 12, 8

#: Nanoseconds that are tried, shortest first: programs that sleep need long ones.
LENGTHS = (1_000_000, 1_000_000_000, 60 * 1_000_000_000, 3600 * 1_000_000_000, 24 * 3600 * 1_000_000_000)

#: Delays by link: the rank that sends, the rank that receives, and nanoseconds.
Delays = Mapping[tuple[int, int], int]


class LinkDelay(NamedTuple):
    """Messages of one link take longer.

    :ivar source: the rank that sends them.
    :ivar dest: the rank that receives them.
    :ivar ns: nanoseconds that each of them takes longer.
    """

    source: int
    dest: int
    ns: int


class _Delayed(InOrder):
    """The strategy of a run in virtual time with delays: what happens by default."""

    def __init__(self, delays: Delays):
        self._delays = delays

    def install(self, cluster: Cluster) -> None:
        """The run begins on this cluster."""
        for (source, dest), ns in self._delays.items():
            cluster.network.delay(source, dest, ns)


class InTime:
    """Looks for delays with which findings of one program happen.

    :param run: runs it.
    :param findings_of: what is wrong with a schedule that has this eager limit.
    :param spent: whether the time for it is over.
    """

    def __init__(
        self, run: Runner, findings_of: Callable[[Schedule, int | None], list[Finding]], spent: Callable[[], bool]
    ):
        self._run = run
        self._findings_of = findings_of
        self._spent = spent
        self._left = MOST_RUNS

    def delays(self, finding: Finding, steps: Sequence[Step]) -> tuple[LinkDelay, ...] | None:
        """The least delays that were found.

        :param steps: the run of the finding.
        :returns: none at all: it happens without any; None: no delays that were tried show it, or no order of messages
            is what it depends on.
        """
        if not finding.late or finding.unusual is not None or finding.eager_limit is not None or finding.kind in KINDS:
            return None
        if any(step.kind == FAULT for step in steps):
            return None
        self._left = MOST_RUNS
        found = next((each for each in _attempts(steps) if self._shows(finding, each)), None)
        if found is None:
            return None
        for link in [*found] if len(found) > 1 else []:
            less = {other: ns for other, ns in found.items() if other != link}
            if self._shows(finding, less):
                found = less
        return tuple(LinkDelay(*link, ns) for link, ns in self._shortest(finding, found).items())

    def _shortest(self, finding: Finding, found: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
        """All of them as much shorter as they can be."""
        longest = max(found.values(), default=0)
        if longest <= LENGTHS[0]:
            return found
        too_short, enough, best = 0.0, 1.0, found
        for _ in range(TO_SHORTEN):
            part = (too_short + enough) / 2
            shorter = {link: _round(part * ns) for link, ns in found.items()}
            if self._shows(finding, shorter):
                enough, best = part, shorter
            else:
                too_short = part
        return best

    def _shows(self, finding: Finding, delays: Delays) -> bool:
        if self._left <= 0 or self._spent():
            return False
        self._left -= 1
        schedule = self._run(_Delayed(delays), None, late=False)
        return any(finding.same_fault(each) for each in self._findings_of(schedule, None))


def _round(ns: float) -> int:
    """To a millisecond."""
    return max(LENGTHS[0], round(ns / LENGTHS[0]) * LENGTHS[0])


def _attempts(steps: Sequence[Step]) -> Iterator[dict[tuple[int, int], int]]:
    """No delay; each link alone, those first whose messages were not taken where it was chosen; and all, in the order
    in which their messages were taken."""
    yield {}
    sent: dict[tuple[int, int], None] = {}
    others: dict[tuple[int, int], None] = {}
    order: dict[tuple[int, int], None] = {}
    for step in steps:
        if step.rank is None or step.other is None:
            continue
        if step.kind == SENDS:
            sent[step.rank, step.other] = None
            continue
        order[step.other, step.rank] = None
        if step.kind == CHOICE:
            others.update({link: None for link in sent if link[1] == step.rank and link != (step.other, step.rank)})
    links = [*dict.fromkeys([*others, *sent])]
    places = {link: place for place, link in enumerate([*order, *(link for link in sent if link not in order)])}
    for ns in LENGTHS:
        for link in links[:ALONE]:
            yield {link: ns}
        if len(places) > 1:
            yield {link: place * ns for link, place in places.items() if place}


def _text(ns: int) -> str:
    return f"{ns // LENGTHS[1]}s" if ns % LENGTHS[1] == 0 else f"{ns // LENGTHS[0]}ms"


def said(delays: Sequence[LinkDelay]) -> str:
    """Delays in a sentence."""
    if not delays:
        return "In time it happens without any delay."
    parts = [f"from rank {each.source} to rank {each.dest} take {_text(each.ns)} longer" for each in delays]
    return f"In time it happens if messages {', and '.join(parts)}."


def script(delays: Sequence[LinkDelay]) -> str:
    """The script with these delays, as ``bsbpool simulate --script`` reads it."""
    events = [f"{{at: 0s, delay: {{from: {d.source}, to: {d.dest}, by: {_text(d.ns)}}}}}" for d in delays]
    return f"events: [{', '.join(events)}]"
