"""Reduces a scenario with a finding: to fewer ranks, jobs, events and listeners that still show it.

This only works for findings that do not depend on the expectations of the scenario, such as violated invariants and
ranks that wait for ever. The number of choices of a finding is reduced in `shrinking`.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import yaml

from bsbpool.worlds.local import ThreadedWorld

from ..scenario.document import ScenarioError
from ..scenario.expanding import filled
from ..scenario.running import Scenario, parse
from .exploration import Exploration
from .findings import Finding
from .scenarios import explore_scenario

#: Kinds of findings that are wrong in every scenario.
KINDS = ("invariant", "deadlock")

#: Schedules in which a smaller scenario has to show it: at first what happens by default, and later more.
AT_ONCE, SCHEDULES = 2, 400

#: Of what a scenario expects, what it says of how main leaves: a deadlock that is expected is none that is found.
_ENDS = ("outcome", "deadlock")

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

    Of a scenario that does not come to what it expects it is cut what shows something that always has to hold.

    :param scenario: where it was found.
    :param finding: what was found.
    :param faults: how many faults may strike.
    :param seconds: real time that this may take.
    :returns: None: it can't be cut, as what a scenario expects.
    """
    cutting = _Cutting(scenario.path, (finding.kind,) if finding.kind in KINDS else KINDS, faults, seconds)
    data = copy.deepcopy(scenario.plan.document.data)
    data["expect"] = {key: value for key, value in data["expect"].items() if key in _ENDS}
    return cutting.smallest(data)


class _Cutting:
    """Cuts one scenario.

    :param kinds: the kinds of findings of which one has to show.
    """

    def __init__(self, path: str, kinds: Sequence[str], faults: int, seconds: float):
        self._path = path
        self._kinds = kinds
        self._faults = faults
        self._until = ThreadedWorld.now() + round(seconds * _SECOND_NS)

    def smallest(self, data: dict[str, Any]) -> Cut | None:
        """The smallest scenario that was found."""
        best = self._attempt(data, SCHEDULES)
        if best is None:
            return None
        self._kinds = (best.finding.kind,)
        for schedules in (AT_ONCE, SCHEDULES):  # what shows at once is cut at once
            if schedules == AT_ONCE and self._attempt(data, AT_ONCE) is None:
                continue
            data, best = self._smaller(data, best, schedules)
        exploration = self._explored(best.scenario, SCHEDULES, max(1.0, self._left()), quick=False)
        of_kind = [each for each in exploration.findings if each.kind == best.finding.kind]
        fewest = min([*of_kind, best.finding], key=lambda each: len(each.tape.departures))
        return Cut(best.scenario, best.text, fewest)

    def _smaller(self, data: dict[str, Any], best: Cut, schedules: int) -> tuple[dict[str, Any], Cut]:
        """Leave out one thing after the other, as long as it shows in the first schedules."""
        smaller = True
        while smaller:
            smaller = False
            attempts = _smaller(data)
            attempt = next(attempts, None)
            while attempt is not None:
                if self._left() <= 0:
                    return data, best
                found = self._attempt(attempt, schedules)
                if found is not None:
                    data, best, smaller = attempt, found, True
                attempt = _next(attempts, found is not None)
        return data, best

    def _left(self) -> float:
        """Seconds that are left."""
        return (self._until - ThreadedWorld.now()) / _SECOND_NS

    def _attempt(self, data: dict[str, Any], schedules: int) -> Cut | None:
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
        try:
            scenario = parse(text, self._path)
        except ScenarioError:
            return None
        exploration = self._explored(scenario, schedules, max(0.1, self._left()), quick=True)
        found = next((each for each in exploration.findings if each.kind in self._kinds), None)
        return None if found is None else Cut(scenario, text, found)

    def _explored(self, scenario: Scenario, schedules: int, seconds: float, *, quick: bool) -> Exploration:
        return explore_scenario(
            scenario, faults=self._faults, schedules=schedules, seconds=seconds, strategy="exhaustive", quick=quick,
            expectations=False, compare=False,
        )  # fmt: skip


#: Scenarios that are tried one after the other; each is answered by whether it shows it.
_Attempts = Generator[dict[str, Any], bool, None]


def _next(attempts: _Attempts, shows: bool) -> dict[str, Any] | None:
    try:
        return attempts.send(shows)
    except StopIteration:
        return None


def _smaller(data: dict[str, Any]) -> _Attempts:
    """The same with less, the largest steps first; what shows it is what the next attempts begin with."""
    for ranks in range(2, data["ranks"]):
        if (yield (attempt := _with(data, ("ranks",), ranks))):
            data = attempt
            break
    for key in ("schedulers", "jobs", "events", "seeds", "slow", "latency", "bandwidth"):
        needed = key == "events" and _hangs(data)
        if data.get(key) and not needed and (yield (attempt := _with(data, (key,)))):
            data = attempt
    data = yield from _without_keys(data)
    if any("repeat" in job for job in _all_jobs(data)) and (yield (attempt := _one_by_one(data))):
        data = attempt
    for key in ("schedulers", "events"):
        if data.get(key) and not (key == "events" and _hangs(data)):
            data = yield from _without_items(data, (key,))
    for path in _paths_of_jobs(data):
        data = yield from _without_items(data, path)


def _hangs(data: dict[str, Any]) -> bool:
    """Whether a job never ends by itself: what ends it is not left out, so that nobody has to wait for ever."""
    return any(job.get("hangs") for job in _all_jobs(data))


def _without_items(data: dict[str, Any], path: Sequence[Any]) -> Generator[dict[str, Any], bool, dict[str, Any]]:
    """Without items of a list: halves of it, quarters, and so on, the last ones first."""
    size = max(1, len(_at(data, path)) // 2)
    while size:
        place = len(_at(data, path)) - size
        while place >= 0:
            items = _at(data, path)
            if (yield (attempt := _with(data, path, [*items[:place], *items[place + size :]]))):
                data = attempt
            place -= size
        size //= 2
    return data


def _without_keys(data: dict[str, Any]) -> Generator[dict[str, Any], bool, dict[str, Any]]:
    """Without what is said of the pool and of jobs, one key after the other."""
    paths: list[tuple[Any, ...]] = [("pool", key) for key in data.get("pool") or ()]
    for path in _paths_of_jobs(data):
        for place, job in enumerate(_at(data, path)):
            if not job.get("hangs"):
                paths += [(*path, place, key) for key in job if key not in ("name", "repeat")]
    for path in paths:
        if (yield (attempt := _with(data, path))):
            data = attempt
    if isinstance(_at(data, ("pool", "listeners")), list):
        data = yield from _without_items(data, ("pool", "listeners"))
    return data


def _with(data: dict[str, Any], path: Sequence[Any], value: Any = None) -> dict[str, Any]:
    """The same with another value there; None: without it."""
    other = copy.deepcopy(data)
    inner: Any = other
    for step in path[:-1]:
        inner = inner[step]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return other


def _at(data: dict[str, Any], path: Sequence[Any]) -> Any:
    """What stands there; None: nothing does."""
    inner: Any = data
    for step in path:
        inner = inner[step] if isinstance(step, int) else (inner or {}).get(step)
    return inner


def _paths_of_jobs(data: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Where lists of jobs are."""
    paths: list[tuple[Any, ...]] = [("jobs",)]
    paths += [("schedulers", place, "jobs") for place in range(len(data.get("schedulers") or ()))]
    paths += [("events", place, "queue") for place in range(len(data.get("events") or ()))]
    return [path for path in paths if isinstance(_at(data, path), list)]


def _all_jobs(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in _paths_of_jobs(data):
        yield from _at(data, path)


def _one_by_one(data: dict[str, Any]) -> dict[str, Any]:
    """The same with an entry for each job, of which any can be left out."""
    other = data
    for path in _paths_of_jobs(data):
        other = _with(other, path, [each for entry in _at(data, path) for each in _each(entry)])
    return other


def _each(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The jobs of an entry."""
    if "repeat" not in entry:
        yield entry
        return
    rest = {key: value for key, value in entry.items() if key != "repeat"}
    for index in range(entry["repeat"]):
        yield filled(rest, index)
