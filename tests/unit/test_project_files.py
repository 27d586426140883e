"""What contributors and users meet beside the code: hooks, forms, the citation, the history of the benchmarks."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

import bsbpool
from bsbpool.cli import COMMANDS

ROOT = Path(__file__).parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[0-9]*.yml"))
HISTORY = ROOT / "tests" / "benchmarks" / "history.jsonl"


def read(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def module_of(folder, name):
    """A module of a folder that is no package."""
    sys.path.insert(0, str(ROOT / folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / folder))


# -- hooks, forms, citation ------------------------------------------------------------------------------


def test_hooks_are_the_checks_of_the_gate():
    (local,) = read(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"  # the project's own tools, in the versions that it has
    entries = [hook["entry"] for hook in local["hooks"]]
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for check in ("ruff check", "ruff format --check", "mypy", "lint-imports", "oxlint", "oxfmt --check"):
        assert check in gate
        assert any(entry.startswith(f".venv/bin/{check}") for entry in entries), check


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_each_form_asks_for_a_trace(form):
    asked = {each["id"]: each["attributes"] for each in yaml.safe_load(form.read_text("utf-8"))["body"]}
    assert "trace" in asked["trace"]["description"]


def test_the_form_for_a_run_that_went_wrong_names_commands_that_exist():
    text = FORMS[0].read_text(encoding="utf-8")
    assert {*re.findall(r"bsbpool (\w+)", text)} <= {*COMMANDS}
    assert "required: true" in text.partition("id: trace")[2].partition("- type")[0]


def test_the_citation_is_of_this_version():
    citation = read("CITATION.cff")
    assert citation["version"] == bsbpool.__version__
    assert {"cff-version", "message", "title", "authors"} <= {*citation}  # what the format requires
    assert citation["license"] == "Apache-2.0"


# -- security --------------------------------------------------------------------------------------------

#: Which files unpickle, and which run code that they were given: SECURITY.md says of each when, and from whom.
UNPICKLES = {
    "bsbpool/cli/doctor.py", "bsbpool/pool/protocol.py", "bsbpool/worlds/mpi_world.py",
    "sim/bsbpool_sim/replay/real_calls.py", "sim/bsbpool_sim/mpi/pickling.py", "sim/bsbpool_sim/exploring/processes.py",
}  # fmt: skip
RUNS = {"bsbpool/cli/record.py", "sim/bsbpool_sim/program/beginning.py", "sim/bsbpool_sim/replay/real_calls.py"}


def files_with(pattern):
    """The files of the project whose code has that, comments aside."""
    found = set()
    for file in [*(ROOT / "bsbpool").rglob("*.py"), *(ROOT / "sim").rglob("*.py")]:
        code = re.sub(r"#.*", "", file.read_text(encoding="utf-8"))
        if re.search(pattern, code):
            found.add(file.relative_to(ROOT).as_posix())
    return found


def test_no_other_file_unpickles():
    loads = r"\b(cloud)?pickle\.(loads?|Unpickler)\b|from (cloud)?pickle import|protocol import [^\n]*\bloads\b"
    assert files_with(loads) == UNPICKLES


def test_no_other_file_runs_code_that_it_was_given():
    assert files_with(r"(?<![.\w])(exec|eval)\(|\brunpy\.run_|\bmarshal\.loads?\b") == RUNS


# -- the history of the benchmarks ------------------------------------------------------------------------


def test_the_history_has_ratios_with_what_they_were_measured_on():
    entries = [json.loads(line) for line in HISTORY.read_text(encoding="utf-8").splitlines()]
    assert entries
    for entry in entries:
        assert list(entry) == ["date", "version", "commit", "machine", "ratios"]
        assert all(isinstance(ratio, float) and ratio > 0 for ratio in entry["ratios"].values())
        assert entry["ratios"]
    assert [entry["date"] for entry in entries] == sorted(entry["date"] for entry in entries)


def test_saving_appends_a_line(tmp_path):
    history = module_of("tests/benchmarks", "history")
    file = tmp_path / "history.jsonl"
    for ratio in (0.5, 1.23456):
        history.append(history.entry({"pool / loop": ratio}, "a machine", "1.0"), file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["ratios"] for line in lines] == [{"pool / loop": 0.5}, {"pool / loop": 1.235}]
    assert {line["machine"] for line in lines} == {"a machine"}


def entry(**ratios):
    return {"date": "2026-11-29", "version": "1.0", "commit": "abc", "machine": "here", "ratios": ratios}


def test_the_chart_has_a_point_where_something_was_measured():
    chart = module_of("docs", "benchmark_chart")
    entries = [entry(fast=1.0, slow=2.0), entry(fast=2.0), entry(fast=1.5, slow=1.0)]
    drawn = chart.table(entries)
    rows = re.findall(r"<tr>(<td>.*?)</tr>", drawn)
    assert [row.count("<circle") for row in rows] == [3, 2]
    assert ["+50%" in rows[0], "-50%" in rows[1]] == [True, True]


def test_points_of_the_chart_are_as_high_as_their_ratios():
    chart = module_of("docs", "benchmark_chart")
    (points,) = chart.by_ratio([entry(x=1.0), entry(x=2.0)]).values()
    low, high = (float(y) for y in re.findall(r'cy="([\d.]+)"', chart.line(points, 2)))
    foot = chart.HEIGHT - chart.EDGE
    assert foot - high == pytest.approx(2 * (foot - low), abs=0.2)


def test_what_a_history_says_is_not_markup():
    chart = module_of("docs", "benchmark_chart")
    assert "<script" not in chart.table([entry(**{"<script>": 1.0})])
    assert "<script" not in chart.measurements([entry(x=1.0) | {"machine": "<script>"}])


def test_the_gate_runs_what_names_lines_where_bsbpool_is_installed():
    run = module_of("tests", "run")
    assert "installed" in run.PARTS and "installed" not in run.WITHIN
    assert all((ROOT / each).exists() for each in (*run.INSTALLED, *run.NOT_QUICK, *run.SAME_IN_EACH))
    # Reports of deadlocks, horizons, tests on ranks, and limits of jobs.
    named = {"tests/unit/test_frames.py", "tests/unit/test_simulate.py", "tests/unit/test_ranks_plugin.py"}
    assert named | {"tests/pool/test_limits.py"} <= {*run.INSTALLED}
