"""Finds what a scenario that was made from a trace expects: its own outcome, as far as that is the recorded one."""

from __future__ import annotations

import operator
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence

from bsbpool.errors_and_facts import in_words
from bsbpool.facts import Error, SchedulerFailed
from bsbpool.facts import Raised as RaisedError

from ..scenario.document import read
from ..scenario.expecting import Checker
from ..scenario.loading import validate
from ..scenario.outcome import Outcome
from ..scenario.planning import Plan
from ..scenario.running import Scenario
from .export_text import Data, dump


def whoever(error: Error) -> str:
    """Return a pattern for an error that matches the same error in another run.

    Of an error that the library itself has made only the type is expected, since its words may change, and which rank
    ran a job, and when it died, may differ.
    """
    if isinstance(error, SchedulerFailed):
        return f"{error.type}: *{in_words(error.error)}"
    return in_words(error) if isinstance(error, RaisedError) else f"{error.type}: *"


def run_scenario(data: Data, expect: Data | None = None) -> tuple[Checker, Outcome]:
    """Run a scenario with these expectations, and return its outcome.

    :raises ScenarioError: it can't be used.
    """
    document = read(dump({**data, "expect": expect or {}}), "made.yaml")
    model = validate(document)
    scenario = Scenario("made.yaml", model, Plan(model, document))
    outcome = scenario.run_seed(scenario.seeds[0])
    return Checker(scenario.plan, outcome), outcome


def put_in_what_is_expected(data: Data, wanted: Mapping[tuple[str, str], str] | None) -> None:
    """Add the expectations to a scenario: its outcome, as far as it is that of the recorded run."""
    checker, outcome = run_scenario(data)
    _leave_out_what_never_comes(data, outcome)
    expect: Data = {}
    came = {who for who, _ in outcome.stage.errors}
    missing = [name for (what, name) in wanted or () if what == "error" and name not in came]
    if missing:
        data["about"] += f" Errors of {len(missing)} do not come when nothing is forced: {', '.join(missing[:3])}."
    errors = _folded_errors(outcome.stage.errors, checker.plan)
    if outcome.kind not in ("ok", "error"):
        expect["outcome"] = outcome.kind
    elif not errors:
        expect["outcome"] = "ok"
    if errors:
        expect["errors"] = errors
    statuses = {name: checker.status(name) for name in checker.plan.jobs}
    names = list(statuses)
    same = {
        name: status
        for name, status in statuses.items()
        if wanted is None or wanted.get(("status", name), status) == status
    }
    if len(set(statuses.values())) == 1 and len(same) == len(statuses):
        expect["statuses"] = {"*": next(iter(statuses.values()))}
    else:
        folded = _folded_statuses(data, names, same)
        if folded:
            expect["statuses"] = folded
    if len(same) < len(statuses):
        counts = len(statuses) - len(same)
        data["about"] = (
            f"{data['about']} When nothing is forced, {counts} of its jobs end{'s' * (counts == 1)} otherwise than "
            "then, since the run stopped early: nothing is expected of those."
        )
    data["expect"] = expect


def _leave_out_what_never_comes(data: Data, outcome: Outcome) -> None:
    """Events for which there is no time, now that nothing is forced: the run was over before."""
    late = {failure.path[1] for failure in outcome.failures if len(failure.path) == 2 and failure.path[0] == "events"}
    if not late:
        return
    data["events"] = [event for number, event in enumerate(data["events"]) if number not in late]
    if not data["events"]:
        del data["events"]
    data["about"] += f" {len(late)} of its events {'is' if len(late) == 1 else 'are'} left out: all was over before."


def _folded_errors(errors: Iterable[tuple[str, Error]], plan: Plan) -> Data:
    """What is expected of these errors: those that are alike in one line, if no other job goes by its pattern."""
    by_base: dict[tuple[str, str], list[str]] = {}
    for who, error in errors:
        kept = whoever(error)
        base = re.sub(r" \d+$", " *", who)
        by_base.setdefault((base, kept), []).append(who)
    folded: Data = {}
    for (base, text), names in by_base.items():
        pattern = text if len(text) < 200 else text[:199].rstrip("…") + "*"
        if len(names) > 1 and sorted(plan.match(base)) == sorted(names):
            folded[base] = pattern
        else:
            folded.update(dict.fromkeys(names, pattern))
    return folded


def _folded_statuses(data: Data, names: Sequence[str], same: Mapping[str, str]) -> Data:
    folded: Data = {}
    entries = [*data.get("jobs", ()), *(job for s in data.get("schedulers", ()) for job in s.get("jobs", ()))]
    ordered = sorted(names)
    for entry in entries:
        if "repeat" not in entry:
            if entry["name"] in same:
                folded[entry["name"]] = same[entry["name"]]
            continue
        mine = [entry["name"].replace("{i}", str(number)) for number in range(entry["repeat"])]
        found = {same.get(each) for each in mine}
        pattern = entry["name"].replace("{i}", "*")
        stem = entry["name"].removesuffix("{i}")
        begins: Callable[[str], str] = operator.itemgetter(slice(len(stem)))
        alone = bisect_right(ordered, stem, key=begins) - bisect_left(ordered, stem, key=begins) == len(mine)
        if len(found) == 1 and alone:
            if (status := found.pop()) is not None:
                folded[pattern] = status
        elif len(mine) <= 50:
            folded.update({each: same[each] for each in mine if each in same})
    return folded
