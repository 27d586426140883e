"""The language of scenario files: what its values mean, and that schema, docs and model say the same."""

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from launching import unmeasured

from bsbpool.durations import UNITS as _UNITS
from bsbpool_sim.random_streams import stream
from bsbpool_sim.scenario import load, schema_text
from bsbpool_sim.scenario.document import read
from bsbpool_sim.scenario.model import Model, schema
from bsbpool_sim.scenario.patterns import matcher
from bsbpool_sim.scenario.written_values import VERBS, Bounds, Takes, duration_value, read_occurrence

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((ROOT / "scenarios").rglob("*.yaml"))


@pytest.fixture
def plan(tmp_path):
    """The plan of a scenario of three ranks that is written so."""

    def plan(text):
        path = tmp_path / "a.yaml"
        path.write_text(f"scenario: x\nranks: 3\n{text}\n" + ("" if "expect:" in text else "expect: {}\n"))
        return load(path).plan

    return plan


# -- values ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ns"),
    [("0s", 0), ("1ns", 1), ("2us", 2000), ("2µs", 2000), ("500ms", 500_000_000), ("0.1s", 100_000_000),
     ("1.5min", 90 * 10**9), (" 2 h ", 7200 * 10**9), ("0.3s", 300_000_000)],
)  # fmt: skip
def test_durations_are_exact_nanoseconds(text, ns):
    assert duration_value(text) == ns


@pytest.mark.parametrize(
    ("text", "value"),
    [("no", "no"), ("on", "on"), ("yes", "yes"), ("true", True), ("False", False), ("12", 12), ("-1", -1),
     ("1.5", 1.5), ("1e3", 1000.0), ("1:30", "1:30"), ("2020-01-01", "2020-01-01"), ("0x10", "0x10"), ("~", None),
     ("'12'", "12"), ("!!str 12", "12"), ("9" * 5000, "9" * 5000), ("", None)],
)  # fmt: skip
def test_only_null_true_false_and_numbers_are_more_than_text(text, value):
    assert read(f"a: {text}\n", "f").data == {"a": value}


def test_seeds_are_one_or_several(plan):
    assert plan("").model.seeds == [0]
    assert plan("seeds: 7").model.seeds == [7]
    assert plan("seeds: [5, 1, 5]").model.seeds == [5, 1]
    assert plan("seeds: 3..6").model.seeds == [3, 4, 5, 6]


def test_a_duration_may_be_drawn():
    def draw(kind, *numbers):
        return [Takes(kind, numbers).draw(partial(stream, s, "test")) for s in range(200)]

    assert draw("fixed", 5) == [5] * 200
    assert min(draw("uniform", 10, 20)) >= 10 and max(draw("uniform", 10, 20)) <= 20
    assert min(draw("normal", 5, 100)) == 0
    assert 50 < sum(draw("exponential", 100)) / 200 < 150
    assert set(draw("exponential", 0)) == {0}
    assert draw("uniform", 1, 10**9) == draw("uniform", 1, 10**9)


def test_bandwidth_has_a_unit(plan):
    assert plan("bandwidth: 100MB/s").model.bandwidth == 100e6


def test_bounds_hold_their_ends():
    assert [Bounds(2, 3).hold(n) for n in (1, 2, 3, 4)] == [False, True, True, False]
    assert Bounds(None, 3).hold(0) and Bounds(2, None).hold(9)


def test_an_occurrence_is_a_job_and_what_it_does_or_a_ping_a_loss_a_phase():
    assert read_occurrence("place 3 is queued")[1:] == ("job", "place 3", ("queued",))
    assert read_occurrence("it ends")[3] == ("success", "failed", "cancelled", "aborted")
    assert read_occurrence("ping")[1] == "ping"
    assert read_occurrence("rank 12 is lost")[1:3] == ("lost", "12")
    assert read_occurrence("phase b 2 begins")[1:3] == ("phase", "b 2")


def test_patterns_have_stars_and_question_marks_and_nothing_else():
    assert matcher("a*")("abc") and not matcher("a*")("ba")
    assert matcher("a?c")("abc") and not matcher("a?c")("ac")
    assert matcher("a[b]")("a[b]") and not matcher("a[b]*")("ab")


def test_an_exception_is_a_text_or_a_mapping(plan):
    jobs = plan(
        "jobs: [{name: a, raises: 'ValueError: x: y'}, {name: b, raises: {ValueError: z}}, {name: c, raises: KeyError}]"
    )
    made = [repr(job.entry.raises.make()) for job in jobs.jobs.values()]
    assert made == ["ValueError('x: y')", "ValueError('z')", "KeyError()"]


# -- jobs ------------------------------------------------------------------------------------------------


def test_repeat_makes_jobs_with_an_index(plan):
    made = plan(
        "jobs:\n- {name: 'a {i}', repeat: 2, returns: ['{i}', 'n{i}'], context: {chunk: '{i}'}}\n"
        "- {name: 'b {i}', repeat: 2, after: 'a {i}'}"
    )
    assert list(made.jobs) == ["a 0", "a 1", "b 0", "b 1"]
    assert made.jobs["b 1"].deps == ["a 1"]
    job = made.jobs["a 1"]
    assert job.fill(job.entry.returns) == [1, "n1"]
    assert job.fill({"x": "{i}"}) == {"x": 1}


def test_jobs_stand_after_what_they_wait_for(plan):
    made = plan("jobs: [{name: c, after: b}, {name: x}, {name: b, after: a}, {name: a}]")
    assert list(made.jobs) == ["a", "b", "c", "x"]


def test_a_pattern_does_not_make_a_job_wait_for_itself(plan):
    assert plan("jobs: [{name: place a}, {name: place all, after: place *}]").jobs["place all"].deps == ["place a"]


def test_a_long_chain_is_no_problem(plan):
    jobs = "\n".join(f"- {{name: j{n}, after: j{n + 1}}}" for n in range(3000))
    assert next(iter(plan(f"jobs:\n{jobs}\n- {{name: j3000}}").jobs)) == "j3000"


def test_jobs_of_a_scheduler_may_wait_for_those_of_main(plan):
    made = plan("jobs: [{name: a}]\nschedulers: [{name: s, jobs: [{name: b, after: a}]}]")
    assert made.jobs["b"].deps == ["a"]


def test_a_strategy_brings_its_cached_items(plan):
    made = plan(
        "strategies: {golgi: {cached: [load, tree]}, other: {cached: [x]}}\n"
        "jobs: [{name: a, kind: placement, strategy: golgi}, {name: b, caches: golgi.tree},"
        " {name: c, strategy: other, caches: [golgi], calls: golgi.tree}]"
    )
    load_, tree, x = ("golgi", "load"), ("golgi", "tree"), ("other", "x")
    assert [job.caches for job in made.jobs.values()] == [(load_, tree), (tree,), (x, load_, tree)]
    assert [job.calls for job in made.jobs.values()] == [(), (), (tree,)]
    assert [*made.items] == ["golgi.load", "golgi.tree", "other.x"]


# -- the schema --------------------------------------------------------------------------------------------


def test_the_schema_that_ships_is_that_of_the_model():
    shipped = ROOT / "sim/bsbpool_sim/scenario/schema.json"
    assert shipped.read_text(encoding="utf-8") == schema_text(), (
        "make it anew: python -c 'from bsbpool_sim.scenario import schema_text; print(schema_text(), end=\"\")'"
    )


def parts(node, path=""):
    """Each key of the language in the schema, with what is said of it."""
    for name, definition in {"": node, **node.get("$defs", {})}.items():
        for key, said in definition.get("properties", {}).items():
            yield f"{name}.{key}", said


def test_every_key_is_described():
    assert [key for key, said in parts(schema()) if not said.get("description")] == []
    assert schema()["additionalProperties"] is False


@pytest.mark.unmeasured
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_scenario_is_what_the_schema_says(path):
    check = Validator(json.loads(schema_text()))
    check.value(read(path.read_text(encoding="utf-8"), str(path)).data, check.root, "")


class Validator:
    """The part of JSON Schema that the language's schema uses; `used` are the keys that were there."""

    def __init__(self, root):
        self.root = root
        self.used = set()

    def value(self, value, node, path, part=""):
        if "$ref" in node:
            part = node["$ref"].rsplit("/", 1)[1]
            return self.value(value, self.root["$defs"][part], path, part)
        if "anyOf" in node:
            wrong = []
            for each in node["anyOf"]:
                try:
                    return self.value(value, each, path, part)
                except AssertionError as error:
                    wrong.append(str(error))
            raise AssertionError(wrong)
        kinds: dict[str, type | tuple[type, ...]] = {
            "string": str,
            "integer": int,
            "number": (int, float),
            "array": list,
            "object": dict,
            "null": type(None),
        }
        kinds["boolean"] = bool
        if "type" in node:
            assert isinstance(value, kinds[node["type"]]), (path, value, node)
        assert value in node.get("enum", [value]) and value == node.get("const", value), (path, value)
        if isinstance(value, str) and "pattern" in node:
            assert re.search(node["pattern"], value), (path, value, node["pattern"])
        if isinstance(value, list):
            for number, each in enumerate(value):
                self.value(each, node.get("items", {}), f"{path}/{number}", part)
        if isinstance(value, dict):
            known, others = node.get("properties", {}), node.get("additionalProperties", {})
            for key, each in value.items():
                assert key in known or others is not False, (path, key)
                self.value(each, known.get(key, others if isinstance(others, dict) else {}), f"{path}/{key}", part)
                self.used.add(f"{part}.{key}")
            assert set(node.get("required", ())) <= set(value), (path, value)
        return None


def test_a_shipped_scenario_uses_every_key():
    check = Validator(schema())
    for path in SCENARIOS:
        check.value(read(path.read_text(encoding="utf-8"), str(path)).data, check.root, "")
    assert {key for key, _ in parts(schema())} - check.used == set()


@pytest.mark.parametrize(
    "word",
    ["us", "ms", "s", "min", "h", "kB/s", "..", "uniform", "normal", "exponential", "placement", "connectivity",
     "ping", "begins", "is lost", "before", "at the end", "not queued", "horizon", "died", *VERBS],
)  # fmt: skip
def test_a_shipped_scenario_uses_every_word(word):
    number = r"\b[0-9.]+" if word in (*_UNITS, "kB/s", "..") else r"\b"
    said = re.compile(rf"{number}{re.escape(word)}(?![a-z])")
    assert any(said.search(path.read_text(encoding="utf-8").split("\n", 1)[1]) for path in SCENARIOS)


#: Which section of the reference explains which part of the language.
SECTIONS = {
    "": "The language",
    "Pool": "The language",
    "StrategyEntry": "The language",
    "Listener": "Listeners",
    "JobEntry": "Jobs",
    "Scheduler": "Schedulers",
    "EventEntry": "Events",
    "Pause": "Events",
    "Slow": "Events",
    "Delay": "Events",
    "Explore": "The language",
    "Expect": "Expectations",
}


def test_the_reference_explains_every_key_where_it_belongs_and_no_other():
    text = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
    keys = {section: set() for section in SECTIONS.values()}
    for key, _ in parts(schema()):
        part, name = key.split(".")
        keys[SECTIONS[part]].add(name)
    for section, expected in keys.items():
        said = re.split(r"^##+ ", text.split(f"# {section}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
        assert {key for key in expected if f"`{key}`" not in said and f"{key}:" not in said} == set(), section
        rows = re.findall(r"^\| (`.+?) \|", said, re.MULTILINE)
        named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
        assert named - expected == set(), section


def test_the_model_says_what_the_language_is():
    assert set(schema()["properties"]) == {info.alias or name for name, info in Model.model_fields.items()}


def test_importing_the_simulator_imports_neither_pydantic_nor_yaml_nor_pytest():
    code = (
        "import sys, bsbpool_sim; bsbpool_sim.simulate; "
        "print([m for m in ('pydantic', 'yaml', 'pytest', 'bsbpool_sim.scenario') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=unmeasured()) == "[]\n"


def test_importing_the_plugin_imports_neither_pydantic_nor_yaml_nor_the_simulator():
    code = (
        "import sys, bsbpool_sim.pytest_plugin.scenarios; "
        "print([m for m in ('pydantic', 'yaml', 'greenlet', 'bsbpool_sim.scenario') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=unmeasured()) == "[]\n"
