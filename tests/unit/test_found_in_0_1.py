"""What was found in 0.1 has a test that holds it, and a program that shows it, and the page has both."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "found-in-0.1.md"
#: Lines of the list of what was found.
LINES = range(23)


@pytest.fixture(scope="module")
def found():
    sys.path.insert(0, str(ROOT / "tests" / "found_in_0_1"))
    try:
        from again import all_found
    finally:
        sys.path.pop(0)
    return all_found()


@cache
def functions_in(file):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_test_that_is_named_exists(found):
    missing = [
        f"{each.program}: {file}::{name}"
        for each in found
        for file, _, name in (test.partition("::") for test in each.tests)
        if not name.startswith("test_") or name not in functions_in(file)
    ]
    assert not missing


def test_each_line_of_the_list_has_a_program(found):
    assert {each.line for each in found} == {*LINES}
    programs = {path.stem for path in (ROOT / "tests" / "found_in_0_1" / "programs").glob("*.py")}
    assert programs == {each.program for each in found} | {"trying"}, "its first lines are not as those of the others"


def test_the_page_has_what_the_programs_say(found):
    rows = re.findall(
        r"^\| (\d+) \| (.*?) \| (.*?) \| `.*` \| `(\w+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    told = [(each.line, each.what.replace("|", "\\|"), each.tests, each.program) for each in found]
    read = [
        (int(line), what, [f"tests/{test}" for test in re.findall(r"`(.*?)`", tests)], program)
        for line, what, tests, program in rows
    ]
    assert read == told
