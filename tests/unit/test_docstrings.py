"""What is public explains itself: each parameter, what is returned, and an example, which runs.

Whether the text is true, nobody can test but the examples. That the site shows all of it is tested here as well.
"""

import ast
import contextlib
import dataclasses
import doctest
import enum
import inspect
import re
from pathlib import Path

import pytest
from public_names import exported, public, signature

ROOT = Path(__file__).parents[2]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL

PUBLIC = dict(public())
EXAMPLES = {path: doc for path, found in PUBLIC.items() if ">>>" in (doc := inspect.getdoc(found) or "")}


def unexplained(found):
    """What the docstring of something public leaves out."""
    doc, called = inspect.getdoc(found), signature(found)
    if not doc:
        return ["a docstring"]
    if called is None or re.search(r"\b(see|As) `\w+\.\w+`", doc):  # it overrides what that one explains
        return []
    explained = (":param {}:", ":ivar {}:", "`{}`")
    missing = [name for name in called.parameters if not any(each.format(name) in doc for each in explained)]
    nothing = called.return_annotation in (None, "None", inspect.Signature.empty)
    if not inspect.isclass(found) and not nothing and ":returns:" not in doc:
        missing.append(":returns:")
    return missing


@pytest.mark.parametrize("path", PUBLIC)
def test_what_is_public_explains_each_parameter_and_what_it_returns(path):
    assert unexplained(PUBLIC[path]) == []


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_runs(path):
    (example,) = [doctest.DocTestParser().get_doctest(EXAMPLES[path], {}, path, None, None)]
    said = []
    with contextlib.chdir(ROOT):
        failures, tried = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append)
    assert tried
    assert failures == 0, "".join(said)


def names_in(code):
    """The names and attributes that some code mentions."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name | ast.Attribute | ast.alias):
            yield node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else node.name


def shown():
    """All names that occur in code which tests run: examples of docstrings, and blocks of Python on pages."""
    for doc in EXAMPLES.values():
        for example in doctest.DocTestParser().get_examples(doc):
            yield from names_in(example.source)
            yield from re.findall(r"\w+", example.want)
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for block in re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            yield from names_in(block)


def is_given(module, found):
    """Whether it comes with something else: an error with what raises it, an enumeration or a record with what has it.

    And what makes BSB use this pool needs BSB: its examples are in tests/with_bsb.
    """
    kinds = inspect.isclass(found) and (issubclass(found, BaseException | enum.Enum) or dataclasses.is_dataclass(found))
    return kinds or module == "bsbpool.bsb"


def test_each_public_name_is_in_an_example_that_runs():
    seen = {*shown()}
    names = {f"{module}.{name}": name for module, name, found in exported() if not is_given(module, found)}
    assert len(names) > 30
    assert [path for path, name in names.items() if path not in EXAMPLES and name not in seen] == []


def test_each_public_name_is_on_a_page_of_the_reference():
    """The pages name them, so that one that is added is missed; the site's test says that each can be made."""
    told = set()
    for page in (ROOT / "docs" / "api").glob("*.md"):
        told |= set(re.findall(r"^\.\. auto\w+:: (?:\w+\.)*(\w+)$", page.read_text("utf-8"), re.MULTILINE))
    assert [name for _, name, _ in exported() if name not in told] == []
