"""Who may import what: the contracts hold, and each of them can be broken."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
CONTRACTS = {c["name"]: c for c in CONFIG["importlinter"]["contracts"]}

linter = pytest.mark.skipif(importlib.util.find_spec("importlinter") is None, reason="needs import-linter")
ruff = pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="needs ruff")


def verdicts(root):
    """The linter's verdict on each contract for the packages under `root`, and all that it said."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run(
        [sys.executable, "-c", code, "--config", str(ROOT / "pyproject.toml"), "--no-cache"],
        cwd=root, env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'sim'}", "COLUMNS": "200"},
        capture_output=True, text=True,
    )  # fmt: skip
    said = run.stdout + run.stderr
    found = {}
    for name in CONTRACTS:
        (line,) = [line for line in said.splitlines() if line.startswith((f"{name} KEPT", f"{name} BROKEN"))]
        found[name] = line.removeprefix(name).split()[0]
    assert (run.returncode == 0) == ("BROKEN" not in found.values())
    return found, said


@pytest.fixture
def copy(tmp_path):
    """A copy of both packages, to spoil."""
    for package in ("bsbpool", "sim/bsbpool_sim"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def add(root, module, *lines):
    path = root / module
    path.write_text(path.read_text() + "\n" + "\n".join(lines) + "\n")


def imports_of(contract):
    """An import of each module that a contract forbids."""
    return [f"import {module}" for module in CONTRACTS[contract]["forbidden_modules"]]


@linter
def test_the_contracts_are_kept():
    found, said = verdicts(ROOT)
    assert set(found.values()) == {"KEPT"}, said


def test_no_files_import_each_other():
    """Imports for types and in functions count too."""
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph("bsbpool", "bsbpool_sim", cache_dir=None)
    below = {module: graph.find_upstream_modules(module) for module in graph.modules}
    circles = {
        frozenset(other for other in below[module] if module in below[other]) | {module}
        for module in graph.modules
        if any(module in below[other] for other in below[module])
    }
    assert not circles


#: The most lines of a file; one that needs more for its job says so on top.
MOST_LINES = 500


def too_long(path):
    """Whether a file has too many lines, and does not say on top why its one job needs them."""
    text = path.read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text)) or ""
    return len(text.splitlines()) > MOST_LINES and re.search(r"^One job: \S.{20,}", said, re.MULTILINE) is None


def test_no_file_is_long_but_those_whose_one_job_needs_it():
    files = [path for folder in ("bsbpool", "sim") for path in sorted((ROOT / folder).rglob("*.py"))]
    assert [path.relative_to(ROOT).as_posix() for path in files if too_long(path)] == []


def test_a_long_file_is_found_unless_it_says_why(tmp_path):
    path = tmp_path / "a.py"
    path.write_text('"""What it is for."""\n' + "x = 1\n" * 499)
    assert not too_long(path)
    path.write_text('"""What it is for."""\n' + "x = 1\n" * 500)
    assert too_long(path)
    path.write_text('"""What it is for.\n\nOne job: a table that is looked at as a whole.\n"""\n' + "x = 1\n" * 500)
    assert not too_long(path)


def test_the_map_of_the_design_names_files_that_exist():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = page.partition("## Where things live")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and "`" in line]
    named = {path for row in rows for path in re.findall(r"`((?:bsbpool|sim)/[^`]*)`", row)}
    assert all(re.search(r"`(bsbpool|sim)/", row) for row in rows) and len(rows) > 30
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    # Each file of a pool, and of the engine, is on it.
    files = [file for folder in ("pool", "engine") for file in (ROOT / "bsbpool" / folder).glob("*.py")]
    assert [str(file) for file in files if file.relative_to(ROOT).as_posix() not in named] == []


#: What a pool, its parts and its engine keep to themselves.
PRIVATE_TO_POOLS = {
    "_engine",
    "_manual",
    "_member",
    "_notifier",
    "_schedulers",
    "_turns",
    "_world",
    "_workers",
}


def reaching_in(path):
    """The lines of a file of the simulator on which it takes a private name of a pool."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            of = ast.unparse(node.value)
            if of.rpartition(".")[2] == "pool" or (node.attr in PRIVATE_TO_POOLS and of != "self"):
                found.append(node.lineno)
    return found


def test_nothing_of_the_simulator_reaches_into_a_pool():
    """What replays and scenarios need of one beside what users call, its port gives: bsbpool/pool/port.py."""
    files = sorted((ROOT / "sim").rglob("*.py"))
    assert {str(path): lines for path in files if (lines := reaching_in(path))} == {}


@pytest.mark.parametrize(
    "line",
    ["pool._cancel(job, None)", "self.pool._limit(job, 1)", "x = stage.pool._world", "jobs = other._engine.jobs"],
)
def test_what_reaches_into_a_pool_is_found(tmp_path, line):
    (tmp_path / "a.py").write_text(f"import bsbpool\n\n{line}\n")
    assert reaching_in(tmp_path / "a.py") == [3]


#: By a word of its name: the file to spoil for a contract.
SPOILED = {
    "never imports the simulator": "bsbpool/listeners/tally.py",
    "the engine imports neither": "bsbpool/engine/engine.py",
    "worlds know nothing": "bsbpool/worlds/local.py",
    "parts that a pool owns": "bsbpool/pool/worker_table.py",
}


def test_each_contract_has_a_test_that_breaks_it():
    assert [[word for word in SPOILED if word in name] for name in CONTRACTS] == [[word] for word in SPOILED]


@pytest.mark.unmeasured
@linter
@pytest.mark.parametrize(("word", "module"), SPOILED.items())
def test_a_forbidden_import_breaks_its_contract(copy, word, module):
    (contract,) = [name for name in CONTRACTS if word in name]
    add(copy, module, *imports_of(contract))
    found, said = verdicts(copy)
    assert found[contract] == "BROKEN"
    importer = module.removesuffix(".py").replace("/", ".")
    for forbidden in CONTRACTS[contract]["forbidden_modules"]:
        assert f"is not allowed to import {forbidden}:" in said
        assert f"{importer} -> {forbidden}" in said


@linter
def test_a_command_may_import_the_simulator(copy):
    add(copy, "bsbpool/cli/run.py", "import bsbpool_sim", "import bsbpool_sim.kernel")
    found, said = verdicts(copy)
    assert set(found.values()) == {"KEPT"}, said


@linter
def test_an_import_in_a_function_is_an_import_too(copy):
    add(copy, "bsbpool/engine/engine.py", "def late():", "    from bsbpool.pool import JobPool", "    return JobPool")
    assert verdicts(copy)[0][next(name for name in CONTRACTS if "engine" in name)] == "BROKEN"


# -- what only worlds may touch ----------------------------------------------------------------------

BYPASSES = [
    "import time",
    "from time import monotonic",
    "import threading",
    "import concurrent.futures",
    "import queue",
    "import random",
    "import secrets",
    "import uuid",
    "import mpi4py",
    "from mpi4py import MPI",
    "import socket",
    "import tempfile",
    "import os\n\nhome = os.environ",
    "import os\n\nhome = os.getenv('HOME')",
    "import os\n\nme = os.getpid()",
    "from os import environ",
    "def late():\n    import time\n    return time",
]


def banned(path, text):
    """The lines on which ruff finds something banned, if `text` stood in the file `path`."""
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--output-format", "concise", "--no-cache",
         "--stdin-filename", str(ROOT / path), "-"],
        input=text, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode in (0, 1), run.stderr
    return [line for line in run.stdout.splitlines() if "TID251" in line]


@ruff
def test_the_library_and_the_simulator_touch_nothing_banned():
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--no-cache", "bsbpool", "sim"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout


@pytest.mark.unmeasured
@ruff
@pytest.mark.parametrize("bypass", BYPASSES)
def test_what_goes_past_the_world_is_found(bypass):
    engine = (ROOT / "bsbpool/engine/engine.py").read_text()
    assert banned("bsbpool/engine/engine.py", f"{engine}\n{bypass}\n")


@pytest.mark.unmeasured
@ruff
@pytest.mark.parametrize("bypass", BYPASSES)
def test_worlds_may_touch_the_ground(bypass):
    assert banned("bsbpool/worlds/new.py", f"{bypass}\n") == []


@pytest.mark.unmeasured
@ruff
@pytest.mark.parametrize("path", ["bsbpool/pool/job_pool.py", "bsbpool/cli/new.py", "sim/bsbpool_sim/kernel.py"])
def test_no_other_file_may(path):
    assert banned(path, "import time\n")


def test_modules_of_the_tests_have_names_of_their_own():
    """Pytest imports them by name only: of two with one name it refuses the second, and with it the whole run."""
    names = [path.name for path in (ROOT / "tests").glob("*/*.py") if path.stem not in ("conftest", "__main__")]
    assert sorted(names) == sorted(set(names))
