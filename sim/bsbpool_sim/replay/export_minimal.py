"""Finds the smallest scenario that still has the same first error: leaves out entries as long as the error remains."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..scenario import ScenarioError
from .ending import ReplayError
from .export_expected import run_scenario, whoever
from .export_text import Data

#: How many scenarios are run, at the most, to find one that is smaller.
MOST_RUNS = 2_000


def minimal_scenario(data: Data, name: str) -> Data:
    """As little of the scenario as still has the same first error."""
    target = _first_error(data)
    if target is None:
        raise ReplayError("nothing failed, so that there is no smaller scenario with the same failure")
    runs = 0

    def still(candidate: Data) -> bool:
        nonlocal runs
        # Large ones count for more: it is to take seconds, and then to hand out the smallest that there is.
        runs += 1 + sum(_at(candidate, path).get("repeat", 1) for path in _entries(candidate)) // 20
        return runs <= MOST_RUNS and target in _errors_of(candidate)

    for candidate in (_only(data, target[0], False), _only(data, target[0], True)):
        if still(candidate):
            data = candidate
            break
    changed = True
    while changed and runs < MOST_RUNS:
        changed = False
        for candidate in _smaller(data):
            if still(candidate):
                data, changed = candidate, True
                break
    data["about"] = f"All that it takes of {name} for the same failure."
    data["scenario"] = f"{target[0]} ends with {target[1]}"[:200]
    return data


def _errors_of(data: Data) -> set[tuple[str, str]]:
    try:
        _, outcome = run_scenario(data)
    except ScenarioError:
        return set()
    found = {(re.sub(r" \d+$", "", who), whoever(error)) for who, error in outcome.stage.errors}
    if outcome.kind not in ("ok", "error"):
        found.add(("execute()", outcome.kind))
    return found


def _first_error(data: Data) -> tuple[str, str] | None:
    _, outcome = run_scenario(data)
    if outcome.kind == "ok":
        return None
    if outcome.kind != "error":
        return "execute()", outcome.kind
    who, error = outcome.stage.errors[0]
    return re.sub(r" \d+$", "", who), whoever(error)


def _smaller(data: Data) -> Iterator[Data]:
    """Scenarios with a little less, those with much less first."""
    for key in ("events", "jobs", "schedulers"):  # events first: they may name jobs that could go
        entries = data.get(key, [])
        size = len(entries)
        while size >= 1:
            for start in range(0, len(entries), size):
                if size < len(entries) or key != "jobs" or data.get("schedulers"):
                    yield _without(data, (key,), entries[start : start + size])
            size //= 2
    for place, scheduler in enumerate(data.get("schedulers", ())):
        for entry in scheduler.get("jobs", ()):
            yield _without(data, ("schedulers", place, "jobs"), [entry])
        if "raises" not in scheduler:
            yield _queued_before(data, place)
    for key in ("pool", "workflow", "strategies", "horizon"):
        if key in data:
            candidate = copy.deepcopy(data)
            del candidate[key]
            if key == "workflow":
                _drop(candidate, "phase")
            if key == "strategies":
                _drop(candidate, "caches")
            yield candidate
    for ranks in (1, 2, 3):
        if ranks < data["ranks"]:
            yield {**copy.deepcopy(data), "ranks": ranks}
    for key in ("after", "caches", "takes", "phase", "at"):
        for path in [*_entries(data)]:
            if key in _at(data, path):
                candidate = copy.deepcopy(data)
                del _at(candidate, path)[key]
                yield candidate
    for path in [*_entries(data)]:
        entry = _at(data, path)
        if entry.get("repeat") == 1:
            yield _once(data, path)
        elif "repeat" in entry:
            for repeat in (2, entry["repeat"] // 2):
                if repeat < entry["repeat"]:
                    candidate = copy.deepcopy(data)
                    _at(candidate, path)["repeat"] = repeat
                    yield candidate


def _entries(data: Data) -> Iterator[tuple[Any, ...]]:
    for number, _ in enumerate(data.get("jobs", ())):
        yield "jobs", number
    for place, scheduler in enumerate(data.get("schedulers", ())):
        yield "schedulers", place
        for number, _ in enumerate(scheduler.get("jobs", ())):
            yield "schedulers", place, "jobs", number


def _at(data: Data, path: Sequence[Any]) -> Data:
    found: Any = data
    for key in path:
        found = found[key]
    entry: Data = found
    return entry


def _drop(data: Data, key: str) -> None:
    for path in _entries(data):
        _at(data, path).pop(key, None)


def _only(data: Data, name: str, and_before: bool) -> Data:
    """A scenario with the jobs of one name, with all that they wait for if that is asked, and with no others."""
    by_stem = {_stem(entry["name"]): entry for entry in (_at(data, path) for path in _entries(data))}
    needed, found = {name}, [name] if and_before else []
    while found:
        patterns = by_stem.get(found.pop(), {}).get("after", [])
        new = {_stem(each) for each in ([patterns] if isinstance(patterns, str) else patterns)} - needed
        needed |= new
        found += sorted(new)
    candidate = {key: each for key, each in data.items() if key != "events"}  # they may name jobs that go
    lists: list[tuple[Any, ...]] = [("jobs",)] if data.get("jobs") else []
    lists += [("schedulers", place, "jobs") for place, each in enumerate(data.get("schedulers", ())) if "jobs" in each]
    for path in lists:
        above, key = path[:-1], path[-1]
        others = [entry for entry in _at(candidate, above)[key] if _stem(entry["name"]) not in needed]
        candidate = _without(candidate, path, others)
    return candidate


def _stem(name: str) -> str:
    """A name without the number, or the pattern, of one of several."""
    return re.sub(r"(?<!,) (\*|\{i\}|\d+)$", "", name)  # "golgi, 2" is a name of its own


def _queued_before(data: Data, place: int) -> Data:
    """A scenario whose jobs of a scheduler are queued before the pool executes."""
    candidate = copy.deepcopy(data)
    scheduler = candidate["schedulers"].pop(place)
    if not candidate["schedulers"]:
        del candidate["schedulers"]
    candidate["jobs"] = candidate.get("jobs", []) + scheduler.get("jobs", [])
    return candidate


def _once(data: Data, path: Sequence[Any]) -> Data:
    """A scenario in which an entry that is repeated once is not repeated, and what refers to it says so."""
    candidate = copy.deepcopy(data)
    entry = _at(candidate, path)
    del entry["repeat"]
    stem = entry["name"] = entry["name"].removesuffix("{i}").strip()
    named = {f"{stem} *", f"{stem} {{i}}", f"{stem} 0"}

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(each) for each in value]
        if isinstance(value, dict):
            return {key: renamed(each) for key, each in value.items()}
        return stem if value in named else value

    return {key: renamed(value) for key, value in candidate.items()}


def _without(data: Data, path: Sequence[Any], entries: Sequence[Data]) -> Data:
    """A scenario without these entries of a list in it, and without what refers to them."""
    candidate = copy.deepcopy(data)
    *above, key = path
    holder = _at(candidate, above)
    holder[key] = [entry for entry in holder[key] if entry not in entries]
    if not holder[key]:
        del holder[key]
    gone = [entry["name"].removesuffix("{i}").strip() for entry in entries if "name" in entry]
    here = [_at(candidate, path)["name"].removesuffix("{i}").strip() for path in _entries(candidate)]
    lost = [name for name in gone if name not in here]

    def kept(patterns: Any) -> list[str]:
        listed = patterns if isinstance(patterns, list) else [patterns]
        return [p for p in listed if _stem(p) not in lost]

    for path in [*_entries(candidate)]:
        entry = _at(candidate, path)
        if "after" in entry:
            entry["after"] = kept(entry["after"])
            if not entry["after"]:
                del entry["after"]
    for listener in candidate.get("pool", {}).get("listeners", ()):
        if "handles" in listener:
            listener["handles"] = kept(listener["handles"])
            if not listener["handles"]:
                del listener["handles"]
    return candidate
