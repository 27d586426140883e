"""The docstring of each public name has a line for each parameter, with its unit, for results and for errors.

That names of the inside have a docstring is held by the linter (ruff's D1 rules).
"""

import ast
import dataclasses
import enum
import inspect
import textwrap

import pytest
from docstring_parser import DocstringStyle, parse
from public_names import public

#: Of what is raised in a function: what tells of a bug in this project, not of a wrong call.
BUGS = {"AssertionError", "NotImplementedError"}

#: By dotted name: each public class, function, method and property.
PUBLIC = {name: getattr(found, "__func__", found) for name, found in public()}


def doc_of(name):
    """The docstring, parsed; `inspect` gives that of the base to a method that has none."""
    return parse(inspect.getdoc(PUBLIC[name]) or "", DocstringStyle.REST)


def parameters(value):
    """The names of what a caller hands over."""
    if isinstance(value, property):
        return []
    if inspect.isclass(value):
        if issubclass(value, enum.Enum) or ("__init__" not in vars(value) and not dataclasses.is_dataclass(value)):
            return []
        value = value.__init__
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls") and name[0] != "_"]


def raised(value):
    """The exceptions that a function raises itself, by the names of their classes."""
    if isinstance(value, property):
        value = value.fget
    if inspect.isclass(value):
        value = vars(value).get("__init__")
    if value is None or not hasattr(value, "__code__"):
        return set()
    value = inspect.unwrap(value)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    except OSError:  # a dataclass has made it
        return set()
    found = set()
    todo = list(getattr(tree, "body", []))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            found.add(node.exc.func.id)
        todo += ast.iter_child_nodes(node)
    return {name for name in found if name[0].isupper()} - BUGS


def lacking(name):
    """What the docstring of a public name lacks, in words."""
    value = PUBLIC[name]
    doc = doc_of(name)
    if not doc.short_description:
        return ["a docstring"]
    # The fields of a dataclass that users are handed are attributes to them.
    words = ("param", "ivar") if dataclasses.is_dataclass(value) else ("param",)
    given = {each.args[1].lstrip("*") for each in doc.meta if each.args[0] in words}
    missing = [f":param {each}:" for each in parameters(value) if each not in given]
    missing += [f"the parameter {each}, which is documented" for each in sorted(given - {*parameters(value)})]
    if inspect.isfunction(value) and doc.returns is None and returns(value):
        missing.append(":returns:")
    documented = {part for each in doc.raises for part in (each.type_name or "").split(".")}
    missing += [f":raises {each}:" for each in sorted(raised(value) - documented)]
    return missing


def returns(function):
    """Whether a function gives its caller something."""
    return inspect.signature(function).return_annotation not in (None, "None", inspect.Signature.empty, "NoReturn")


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_docstring_gives_parameters_returns_and_raises(name):
    assert lacking(name) == []


#: Words that say what a number that is no count is measured in.
UNITS = ("second", "factor", "nanosecond", "byte")


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_docstring_gives_the_units_of_numbers(name):
    value = PUBLIC[name]
    if isinstance(value, property):
        return
    function = value.__init__ if inspect.isclass(value) else value
    measured = {
        each.name
        for each in inspect.signature(function).parameters.values()
        if "float" in str(each.annotation) or "Duration" in str(each.annotation)
    }
    for each in doc_of(name).meta:
        if each.args[0] == "param" and each.args[1] in measured:
            assert any(unit in each.description for unit in UNITS), (name, each.args[1], each.description)


def test_what_is_missing_is_found(monkeypatch):
    def call(a, *b, c=1) -> int:
        """Do it.

        :param c: is there.
        :param d: is none.
        """
        raise ValueError(a, b, c)

    def silent():
        pass

    monkeypatch.setitem(PUBLIC, "call", call)
    monkeypatch.setitem(PUBLIC, "silent", silent)
    missing = [":param a:", ":param b:", "the parameter d, which is documented", ":returns:", ":raises ValueError:"]
    assert lacking("call") == missing
    assert lacking("silent") == ["a docstring"]
