"""Cuts a scenario in which exploring has found something: fewer ranks, jobs, events and listeners that still show it.

Only what always holds can be cut so, such as invariants and that nobody waits for ever: what a scenario expects is
about all of it. How few choices a finding takes is in `shrinking`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import yaml

from bsbpool.worlds.local import ThreadedWorld

from ..scenario.document import ScenarioError
from ..scenario.running import Scenario, parse
from .exploration import Exploration
from .findings import Finding
from .scenarios import explore_scenario

#: Kinds of findings that are wrong in every scenario.
KINDS = ("invariant", "deadlock")

#: Schedules in which a smaller scenario has to show it.
SCHEDULES = 400

_SECOND_NS = 1_000_000_000


class Cut:
    """A scenario that was cut.

    :ivar scenario: the smaller one.
    :ivar text: it, as a file.
    :ivar finding: what shows in it.
    """

    def __init__(self, scenario: Scenario, text: str, finding: Finding):
        self.scenario, self.text, self.finding = scenario, text, finding


def cut(scenario: Scenario, finding: Finding, *, faults: int, seconds: float = 10.0) -> Cut | None:
    """The smallest scenario that was found in which something of the same kind is wrong.

    :param scenario: where it was found.
    :param finding: what was found.
    :param faults: how many faults may strike.
    :param seconds: real time that this may take.
    :returns: None: it can't be cut, as what a scenario expects.
    """
    if finding.kind not in KINDS:
        return None
    until = ThreadedWorld.now() + round(seconds * _SECOND_NS)
    data = copy.deepcopy(scenario.plan.document.data)
    data["expect"] = {}
    best = _attempt(data, scenario.path, finding.kind, faults, until)
    smaller = best is not None
    while smaller:
        smaller = False
        for attempt in _smaller(data):
            if ThreadedWorld.now() >= until:
                break
            if (found := _attempt(attempt, scenario.path, finding.kind, faults, until)) is not None:
                best, data, smaller = found, attempt, True
                break
    if best is None:
        return None
    exploration = _explored(best.scenario, faults, SCHEDULES, 10.0, quick=False)
    found_again = next((each for each in exploration.findings if each.kind == finding.kind), best.finding)
    return Cut(best.scenario, best.text, found_again)


def _attempt(data: dict[str, Any], path: str, kind: str, faults: int, until: int) -> Cut | None:
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
    try:
        scenario = parse(text, path)
    except ScenarioError:
        return None
    left = max(0.1, (until - ThreadedWorld.now()) / _SECOND_NS)
    exploration = _explored(scenario, faults, SCHEDULES, left, quick=True)
    found = next((each for each in exploration.findings if each.kind == kind), None)
    return None if found is None else Cut(scenario, text, found)


def _explored(scenario: Scenario, faults: int, schedules: int, seconds: float, *, quick: bool) -> Exploration:
    return explore_scenario(
        scenario, faults=faults, schedules=schedules, seconds=seconds, strategy="exhaustive", quick=quick,
        expectations=False,
    )  # fmt: skip


def _smaller(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same with one thing less, the largest steps first."""

    def without(*path: Any, value: Any = None) -> dict[str, Any]:
        less = copy.deepcopy(data)
        inner: Any = less
        for step in path[:-1]:
            inner = inner[step]
        if value is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value
        return less

    for ranks in range(2, data["ranks"]):
        yield without("ranks", value=ranks)
    for key in ("events", "schedulers", "jobs", "seeds", "slow", "latency", "bandwidth"):
        if data.get(key):
            yield without(key)
    for key in ("events", "schedulers", "jobs"):
        for place in range(len(data.get(key) or ())):
            yield without(key, place)
    for place, job in enumerate(data.get("jobs") or ()):
        if (job.get("repeat") or 1) > 1:
            for repeat in (1, 2, job["repeat"] // 2):
                if repeat < job["repeat"]:
                    yield without("jobs", place, "repeat", value=repeat)
    for key in data.get("pool") or ():
        yield without("pool", key)
    for place in range(len((data.get("pool") or {}).get("listeners") or ())):
        yield without("pool", "listeners", place)
    for place, job in enumerate(data.get("jobs") or ()):
        for key in job:
            if key not in ("name", "repeat"):
                yield without("jobs", place, key)
