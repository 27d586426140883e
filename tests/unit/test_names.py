"""Each name stands for one thing: modules, classes and functions share names only where the design says why."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Names of types: in these packages, and in no module, these begin with a capital letter and have small ones.
TYPE = re.compile(r"[A-Z]\w*[a-z]")


def public_names(text):
    """The public classes, functions and names of types that a module defines at its top level."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [each.id for each in targets if isinstance(each, ast.Name) and TYPE.match(each.id)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def shared_names(texts):
    """The names that more than one module has: of modules, and of what is in them. `texts`: by path."""
    places = defaultdict(set)
    for path, text in texts.items():
        stem = path.rpartition("/")[2].removesuffix(".py")
        if not stem.startswith("__"):
            places[f"{stem}.py"].add(path)
        for name in public_names(text):
            places[name].add(path)
    return {name for name, paths in places.items() if len(paths) > 1}


def on_purpose():
    """The names that the page on the design lists, with the reason why two things have them."""
    page = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    section = page.partition("### Names that stand for two things\n")[2].partition("\n##")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| `")]
    assert rows and all(reason.strip() for _, reason in rows)
    return {name for names, _ in rows for name in re.findall(r"`([\w.]+)`", names)}


def test_each_name_stands_for_one_thing_but_those_that_the_design_lists():
    paths = [path for folder in ("bsbpool", "sim/bsbpool_sim") for path in sorted((ROOT / folder).rglob("*.py"))]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    assert shared_names(texts) == on_purpose()


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("class Place: ...", "class Place: ...", {"Place"}),
        ("class Place: ...", "Place = tuple[int, int]", {"Place"}),
        ("class Place: ...", "Place: TypeAlias = tuple[int, int]", {"Place"}),
        ("def keep(): ...", "async def keep(): ...", {"keep"}),
        ("def _keep(): ...", "def _keep(): ...", set()),
        ("MOST = 1", "MOST = 2", set()),
        ("class Place: ...", "from a import Place", set()),
        ("class A:\n    def keep(self): ...", "def keep(): ...", set()),
    ],
)
def test_what_has_the_same_name_is_found(one, other, shared):
    assert shared_names({"bsbpool/a.py": one, "sim/bsbpool_sim/b.py": other}) == shared


def test_modules_of_the_same_name_are_found():
    texts = {
        "bsbpool/pool/calls.py": "",
        "sim/bsbpool_sim/mpi/calls.py": "",
        "bsbpool/__init__.py": "",
        "sim/__init__.py": "",
    }
    assert shared_names(texts) == {"calls.py"}
