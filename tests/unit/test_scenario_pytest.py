"""pytest collects scenario files: which ones, what a failure shows, and that others run beside a bad one."""

import re

import pytest
from launching import WITHOUT

import bsbpool_sim.scenario  # noqa: F401 (once here: pytester forgets what its runs import)

pytest_plugins = "pytester"

GOOD = "scenario: All is well\nranks: 2\njobs: [{name: a, takes: 1s}]\nexpect: {elapsed: 1s}\n"
FAILS = """scenario: It takes two seconds
ranks: 2
seeds: [3, 4]
jobs: [{name: a, takes: 1s}]
expect:
  statuses: {a: success}
  elapsed: 2s
"""
BAD = "scenario: It is bad\nranks: 2\njobs: [{name: a, after: b}]\nexpect: {}\n"


@pytest.fixture
def folder(pytester):
    """Writes files below a folder, and gives pytester."""
    pytester.makeini(f"[pytest]\naddopts = {' '.join(WITHOUT)}\n")

    def folder(under="scenarios", **files):
        for name, text in files.items():
            path = pytester.path / under / (name.replace("_", ".", 1) if "_" in name else f"{name}.yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return pytester

    return folder


def test_a_folder_of_scenarios_is_collected(folder):
    result = folder(one=GOOD, two_yml=GOOD, under="scenarios/theme").runpytest("scenarios", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*scenarios/theme/one.yaml::All is well PASSED*", "*two.yml::All is well PASSED*"])


def test_other_yaml_is_left_alone(folder):
    pytester = folder(config="ranks: 4\n", list="- a\n", broken="a: [\n", sub="jobs:\n  scenario: x\n", good=GOOD)
    pytester.runpytest("scenarios").assert_outcomes(passed=1)


def test_scenarios_elsewhere_run_when_they_are_named(folder):
    pytester = folder(one=GOOD, under="elsewhere")
    assert pytester.runpytest("elsewhere").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    pytester.runpytest("elsewhere/one.yaml").assert_outcomes(passed=1)


def test_a_failure_shows_what_was_expected_and_what_happened(folder):
    result = folder(wrong=FAILS).runpytest("scenarios")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*It takes two seconds*",
            "with seed 3, one of 2",
            "scenarios/wrong.yaml:7: elapsed",
            "  expected  2 s",
            "  happened  1 s, at 1 s",
            "  around it:",
            "*> 1 s  execute() ends",
            "again: bsbpool run scenarios/wrong.yaml --seed 3",
            "FAILED scenarios/wrong.yaml::* - elapsed: expected 2 s, ha*",
        ]
    )
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize("text", [BAD, "", "scenario: [\n", "ranks: 2\nexpect: {}\n"])
def test_a_bad_file_is_a_collection_error_of_its_own(folder, text):
    pytester = folder(bad=text, good=GOOD)
    result = pytester.runpytest("scenarios", "--continue-on-collection-errors")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["scenarios/bad.yaml:*:*: *"])
    assert "Traceback" not in result.stdout.str()


HEAD = "scenario: It is wrong\nranks: 3\n"
JOBS = HEAD + "jobs: [{name: a}, {name: b, takes: 1s}]\n"
EXPECT = "expect: {outcome: ok}\n"
BADLY = {
    "wrong YAML": (HEAD + "jobs: [{name: a}\n" + EXPECT, "is no YAML: the list that opens"),
    "an unknown key": (HEAD + "job: []\n" + EXPECT, "unknown key 'job': did you mean 'jobs'?"),
    "a wrong unit": (HEAD + "jobs: [{name: a, takes: 3 days}]\n" + EXPECT, "'days' is no unit of time"),
    "no such dependency": (HEAD + "jobs: [{name: a, after: c}]\n" + EXPECT, "no job matches 'c'"),
    "a circle": (HEAD + "jobs: [{name: a, after: b}, {name: b, after: a}]\n" + EXPECT, "circle"),
    "a pattern of nothing": (HEAD + "jobs: [{name: a, after: 'x*'}]\n" + EXPECT, "'x*'"),
    "no such rank": (JOBS + "events: [{at: 1s, kill: 7}]\n" + EXPECT, "rank 7"),
    "no such job expected": (JOBS + "expect: {statuses: {nobody: success}}\n", "nobody"),
    "an empty file": ("", "is empty"),
    "a huge file": (JOBS + "# " + 300_000 * "x" + "\n" + EXPECT, "is larger than 256 kB"),
    "a deeply nested file": (HEAD + "jobs: " + 100_000 * "[" + "\n", "levels deep"),
    "YAML that builds objects": (HEAD + "jobs: !!python/object/apply:os.system [exit]\n" + EXPECT, "!!python"),
    "no text": (b"scenario: \xff\xfe\n", "UTF-8"),
}


def test_each_bad_file_is_one_collection_error_with_its_place_and_all_others_run(pytester):
    scenarios = pytester.path / "scenarios"
    scenarios.mkdir()
    for name, (content, _) in BADLY.items():
        assert isinstance(content, str | bytes)
        content = content if isinstance(content, bytes) else content.encode()
        (scenarios / f"{name.replace(' ', '-')}.yaml").write_bytes(content)
    (scenarios / "first.yaml").write_text(GOOD)
    (scenarios / "zlast.yaml").write_text(GOOD)
    result = pytester.runpytest("scenarios", "--continue-on-collection-errors", *WITHOUT)
    result.assert_outcomes(passed=2, errors=len(BADLY))
    said = result.stdout.str()
    for name, (_, what) in BADLY.items():
        file = f"scenarios/{name.replace(' ', '-')}.yaml"
        (line,) = re.findall(rf"^{re.escape(file)}:\d+:\d+: .*$", said, re.MULTILINE)
        assert what in line, line
    assert "Traceback" not in said


def test_the_error_of_a_bad_file_has_its_place(folder):
    folder(bad=BAD).runpytest("scenarios").stdout.fnmatch_lines(
        ["scenarios/bad.yaml:3:25: no job matches 'b': there are 'a'"]
    )


def test_an_error_of_the_machinery_is_shown_as_it_is(folder):
    pytester = folder(good=GOOD)
    pytester.makeconftest(
        "import bsbpool_sim.scenario.running as r\n"
        "def broken(self, seed=None): raise RuntimeError('a bug')\n"
        "r.Scenario.run = broken\n"
    )
    result = pytester.runpytest_subprocess("scenarios")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: a bug*"])


def test_scenarios_run_under_xdist(folder):
    pytester = folder(one=GOOD, two=GOOD, three=FAILS)
    result = pytester.runpytest_subprocess("scenarios", "-n", "2")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["again: bsbpool run scenarios/three.yaml --seed 3"])


WRITES_TRACES = """
import hashlib, pathlib
import bsbpool_sim.scenario.running as running

run = running.Scenario.run

def run_and_write(self, seed=None):
    result = run(self, seed)
    text = "\\n".join(line for outcome in result.outcomes for line in outcome.trace.lines())
    name = pathlib.Path(self.path).name + ".trace"
    (pathlib.Path(WHERE) / name).write_text(text)
    return result

running.Scenario.run = run_and_write
"""


def test_xdist_brings_the_same_outcomes_and_traces(folder):
    drawn = GOOD.replace("takes: 1s}", "takes: {uniform: [1s, 2s]}, repeat: 9}").replace("name: a", "name: 'a-{i}'")
    drawn = drawn.replace("expect: {elapsed: 1s}", "seeds: 1..3\nexpect: {outcome: ok}")
    pytester = folder(one=GOOD, drawn=drawn, fails=FAILS)
    traces = []
    for name, workers in (("plain", []), ("xdist", ["-n", "2"])):
        where = pytester.path / name
        where.mkdir()
        pytester.makeconftest(WRITES_TRACES.replace("WHERE", repr(str(where))))
        pytester.runpytest_subprocess("scenarios", *workers).assert_outcomes(passed=2, failed=1)
        traces.append({path.name: path.read_text() for path in where.iterdir()})
    assert traces[0] == traces[1] and len(traces[0]) == 3 and all(traces[0].values())


def test_an_item_can_be_named(folder):
    pytester = folder(one=GOOD, two=FAILS)
    pytester.runpytest("scenarios/one.yaml::All is well").assert_outcomes(passed=1)
    pytester.runpytest("scenarios", "-k", "well").assert_outcomes(passed=1, deselected=1)
