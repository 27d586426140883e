"""Sentences are for people: put all of them in other words, and no trace, replay, summary or scenario is otherwise."""

import inspect
from dataclasses import fields
from pathlib import Path

import pytest

from bsbpool import wording
from bsbpool.errors_and_facts import error_of, facts_of, in_words
from bsbpool.facts import ERRORS, FAULTS, Overdue, Raised
from bsbpool.trace import EVENTS, read_trace
from bsbpool.trace.summary import summarise
from bsbpool_sim.replay import Change, replay, what_if
from bsbpool_sim.replay.export import to_scenario
from bsbpool_sim.scenario import load

ROOT = Path(__file__).parents[2]
RECORDED = sorted((Path(__file__).parent / "recorded_by_0_1").glob("*__*.trace"))
SCENARIOS = [
    path
    for path in sorted((ROOT / "scenarios").rglob("*.yaml"))
    if path.parent.name not in ("large", "recorded") and "deadlock" not in path.read_text(encoding="utf-8")
]

#: The functions that make sentences: all of the file.
SENTENCES = [
    name for name, made in vars(wording).items() if inspect.isfunction(made) and made.__module__ == wording.__name__
]


@pytest.fixture
def reworded(monkeypatch):
    """Call it, and each sentence is in words that nobody has seen; only what errors of the program say is left."""

    def scramble():
        for number, name in enumerate(SENTENCES):
            made = getattr(wording, name)
            said = f"zyx {name[::-1]} {number}"
            if name == "error":  # type and message of a program's own error are no sentence of the library

                def error(facts, made=made, said=said):
                    return made(facts) if isinstance(facts, Raised) else f"{facts.type}: {said}"

                monkeypatch.setattr(wording, name, error)
            else:
                monkeypatch.setattr(wording, name, lambda *args, said=said: said)

    return scramble


def facts_in(trace):
    """The events of a trace, which have no sentences."""
    return [event for event in trace.events if event.e != "traceback"]


def test_each_kind_of_error_and_fault_has_its_words():
    values = {
        "stuck": (1,), "errors": (), "limit": 1, "ns": 1, "died": 1, "factor": 2.0, "times": 2, "error": None,
        "count": 1, "aborted": None,
    }  # fmt: skip
    for kind in (*ERRORS.values(), *FAULTS.values()):
        facts = kind(**{field.name: values.get(field.name, "a") for field in fields(kind)})
        assert str(facts) and "<bsbpool" not in str(facts)


def test_each_kind_of_event_has_its_words():
    told = {"name": "a", "on": "", "why": "", "after": "", "where": "a", "limit": ""}
    for kind, names in EVENTS.items():
        if kind not in ("message", "receive"):
            assert wording.event(kind, {**dict.fromkeys(names, Raised("ValueError", "a")), **told}), kind


def test_an_event_tells_of_an_error_that_says_none():
    error = facts_of(KeyError(None))
    assert wording.event("unhandled", {"job": 0, "error": error}) == "nobody handles it: KeyError: None"
    assert wording.event("end", {"error": error}) == "execute() ends: KeyError: None"
    assert wording.event("end", {"error": None}) == "execute() ends"


def test_an_exception_keeps_its_facts_whatever_its_message_says(reworded):
    facts = Overdue(10**9, 1, "node7", "interrupted", "f, line 3 of x.py")
    before = error_of(facts)
    reworded()
    after = error_of(facts)
    assert str(before) != str(after)
    assert facts_of(before) == facts_of(after) == facts
    assert in_words(facts).startswith("JobTimeoutError: zyx ")


@pytest.mark.parametrize("path", [path for path in RECORDED if path.stem != "program__of-bsb"], ids=lambda p: p.stem)
def test_replays_are_the_same(path, reworded):
    trace = read_trace(path)
    summary, predicted = summarise(trace), what_if(trace, Change())
    reworded()
    again = read_trace(path)
    assert again.events == trace.events
    result = replay(again)
    assert result.same and result.complete, (result.why, result.difference)
    assert summarise(again) == summary
    assert facts_in(what_if(again, Change()).trace) == facts_in(predicted.trace)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda p: p.stem)
def test_the_same_comes_of_scenarios(path, reworded):
    scenario = load(path)
    before = scenario.run_seed(scenario.seeds[0])
    reworded()
    after = load(path).run_seed(scenario.seeds[0])
    assert (after.kind, after.elapsed, after.died) == (before.kind, before.elapsed, before.died)
    assert facts_in(after.trace) == facts_in(before.trace)
    assert after.stage.errors == before.stage.errors
    assert after.failures == []


@pytest.mark.parametrize("name", ["lost-ranks__retries-come-to-an-end", "scheduling__a-node-whose-scheduler-fails",
                                  "errors__interrupting-main-ends-all"])  # fmt: skip
def test_a_scenario_made_of_a_trace_is_the_same(name, reworded):
    trace = read_trace(Path(__file__).parent / "recorded_by_0_1" / f"{name}.trace")
    before = to_scenario(trace)
    reworded()
    assert to_scenario(trace) == before
