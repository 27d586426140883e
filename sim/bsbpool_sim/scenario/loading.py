"""Reads scenario files: YAML to plain values with their places, and each error with file, line and column.

The YAML is a safe part of it: no tags, no anchors, no key twice, limited in size and depth, and of plain words
only null, true, false and numbers are anything but text. What the values mean is `model`'s business.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .model import MOST_RANKS, Model, shown
from .syntax import explain

#: Bytes of a scenario file, at the most: it is read by people.
LARGEST = 256_000
#: Mistakes of a file that are told one by one.
MOST_TOLD = 100
#: Mappings and lists within each other, at the most.
DEEPEST = 20

Place = tuple[int, int]
KeyPath = tuple[Any, ...]


class ScenarioError(Exception):
    """A scenario file that can't be used: says where, why, and what would be right.

    :ivar file: its path.
    :ivar line: from 1.
    :ivar column: from 1.
    :ivar message: what is wrong there.
    :ivar others: what else is wrong in the file, in the order of lines.
    """

    def __init__(self, file: str, place: Place, message: str, others: Sequence[ScenarioError] = ()):
        self.file = file
        self.line, self.column = place
        self.message = message
        self.others = tuple(others)
        super().__init__(f"{file}:{self.line}:{self.column}: {message}")

    def __str__(self) -> str:
        lines = [each.args[0] for each in (self, *self.others)]
        if len(lines) > MOST_TOLD:
            lines[MOST_TOLD:] = [f"and {len(lines) - MOST_TOLD:,} more mistakes"]
        return "\n".join(lines)

    @classmethod
    def of(cls, errors: Iterable[ScenarioError]) -> ScenarioError:
        """One error that tells several of a file, each once."""
        each = {error.args[0]: error for error in errors}
        first, *others = sorted(each.values(), key=lambda error: (error.line, error.column))
        return cls(first.file, (first.line, first.column), first.message, others)


@dataclass
class Document:
    """The values of a file, with the place (line and column, from 1) of each value and key by its path."""

    file: str
    data: Any = None
    values: dict[KeyPath, Place] = field(default_factory=dict)
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    #: what is wrong with its YAML, though it could be read.
    problems: list[ScenarioError] = field(default_factory=list)
    #: where values are that can't be read as what was meant, of which is told already.
    spoiled: list[KeyPath] = field(default_factory=list)

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Where the value at that path stands, or its key; else the nearest thing around it."""
        while path:
            if key and path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
            path = path[:-1]
        return self.values.get((), (1, 1))

    def wrong(self, path: KeyPath, message: str, *, key: bool = False) -> ScenarioError:
        """An error at that path."""
        return ScenarioError(self.file, self.place(path, key=key), message)


def load_model(path: str | Path) -> tuple[Model, Document]:
    """The scenario in a file, with the places of its parts.

    :raises ScenarioError: it can't be used.
    """
    file = str(path)
    try:
        with open(path, "rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        raise ScenarioError(file, (1, 1), f"can't be read: {error.strerror}") from None
    if len(raw) > LARGEST:
        raise ScenarioError(
            file, (1, 1), f"is larger than {LARGEST // 1000} kB: a scenario is read by people; use repeat for many jobs"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ScenarioError(file, (line, 1), "is not text in UTF-8, as a scenario is") from None
    document = read(text, file)
    return validate(document), document


# -- YAML ----------------------------------------------------------------------------------------------

_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}$", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,3})?$", re.ASCII)
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def plain(text: str) -> Any:
    """What a plain word is: null, true, false, a number, or itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def _place(mark: Any) -> Place:
    return mark.line + 1, mark.column + 1


_SAFE_TAGS = (None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _Reader:
    """Builds a document from the events of a parser, without recursion."""

    def __init__(self, file: str):
        self.document = Document(file)
        # For each open mapping or list: it, its path, and the key that waits for its value.
        self._open: list[tuple[Any, KeyPath, list[Any]]] = []
        self.documents = 0
        self.problems: list[ScenarioError] = []

    def wrong(self, event: Any, message: str) -> ScenarioError:
        return ScenarioError(self.document.file, _place(event.start_mark), message)

    def complain(self, event: Any, message: str) -> None:
        """Something is wrong there, and what comes after it can be read all the same."""
        self.problems.append(self.wrong(event, message))

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.DocumentStartEvent:
            self.documents += 1
            if self.documents > 1:
                raise self.wrong(event, "a second document begins here: write one scenario a file")
        elif kind is yaml.AliasEvent:
            self.complain(
                event,
                f"*{event.anchor} is an alias, which scenarios do without: a pattern that begins with * goes in "
                f"quotes, '*{event.anchor}'",
            )
            path = self._put(event, f"*{event.anchor}")  # what was meant, as a rule
            if path is not None:
                self.document.values[path] = _place(event.start_mark)
        elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            self._open.pop()
        elif kind in (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent):
            self._value(event, kind)

    def _value(self, event: Any, kind: type) -> None:
        spoiled = False
        if event.anchor is not None:
            self.complain(
                event, f"&{event.anchor} is an anchor, which scenarios do without: write it out, or use repeat for jobs"
            )
        if event.tag not in _SAFE_TAGS:
            spoiled = True
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.complain(
                event,
                f"{tag} is a tag that builds an object, which a scenario can't do: write plain "
                "text, numbers, lists and mappings",
            )
        if kind is yaml.ScalarEvent:
            value: Any = plain(event.value) if event.implicit[0] and event.tag is None else event.value
        else:
            value = {} if kind is yaml.MappingStartEvent else []
        path = self._put(event, value)
        if path is not None:
            self.document.values[path] = _place(event.start_mark)
            if spoiled:
                self.document.spoiled.append(path)
        if kind is not yaml.ScalarEvent:
            if path is None:
                raise self.wrong(event, "a key is a word, not a list or a mapping: quote it if it is meant as text")
            if len(self._open) == DEEPEST:
                raise self.wrong(event, f"is nested more than {DEEPEST} levels deep, which no scenario needs")
            self._open.append((value, path, []))

    def _put(self, event: Any, value: Any) -> KeyPath | None:
        """Put a value in its place. Returns its path; None if it is a key."""
        if not self._open:
            self.document.data = value
            return ()
        within, path, key = self._open[-1]
        if isinstance(within, list):
            within.append(value)
            return (*path, len(within) - 1)
        if not key:
            if isinstance(value, dict | list):
                return None
            if isinstance(value, float) or value is None:
                raise self.wrong(event, f"{shown(value)} is no key: a key is a word")
            place = (*path, value)
            if value in within:
                line = self.document.keys[place][0]
                self.complain(event, f"{shown(value)} stands here a second time: it is on line {line} already")
            self.document.keys[place] = _place(event.start_mark)
            within[value] = None
            key.append(value)
            return None
        path = (*path, key.pop())
        within[path[-1]] = value
        return path


def read(text: str, file: str) -> Document:
    """The values in a text of YAML, with what is wrong though it can be read in `problems`.

    :raises ScenarioError: it is no YAML, or YAML that scenarios do without.
    """
    reader = _Reader(file)
    try:
        _parse(text, reader, _FAST)
    except yaml.YAMLError as error:
        raise ScenarioError.of([*reader.problems, _syntax_error(text, file, error)]) from None
    except ScenarioError as error:
        raise ScenarioError.of([*reader.problems, error]) from None
    reader.document.problems = reader.problems
    if not reader.documents:
        raise ScenarioError(file, (1, 1), "is empty: a scenario has at least the keys scenario, ranks, jobs and expect")
    if not isinstance(reader.document.data, dict):
        data = reader.document.data
        is_a = "a list" if isinstance(data, list) else shown(data)
        raise reader.document.wrong(
            (), f"is {is_a}: a scenario is a mapping with the keys scenario, ranks, jobs, expect"
        )
    return reader.document


def _parse(text: str, reader: _Reader, parser: Any) -> None:
    for event in yaml.parse(text, Loader=parser):
        reader.take(event)


def _syntax_error(text: str, file: str, error: yaml.YAMLError) -> ScenarioError:
    """What is wrong, in the words of the pure Python parser, which are the same everywhere.

    What that parser makes is looked at too: it takes quadratic time for deep nesting, and the reader stops it.
    """
    try:
        _parse(text, _Reader(file), yaml.SafeLoader)
    except ScenarioError as wrong:
        return wrong
    except yaml.YAMLError as same:
        error = same
    if isinstance(error, yaml.reader.ReaderError):
        at = int(error.position)
        before = text[:at]
        place = (before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1)
        found = error.character if isinstance(error.character, int) else ord(error.character)
        return ScenarioError(file, place, f"holds the character U+{found:04X}, which YAML forbids")
    assert isinstance(error, yaml.MarkedYAMLError)
    place, message = explain(error, text.splitlines())
    return ScenarioError(file, place, f"is no YAML: {message}")


# -- values to the model -------------------------------------------------------------------------------


def validate(document: Document) -> Model:
    """The values as a model.

    :raises ScenarioError: they are none, or something is wrong with their YAML; tells all that is wrong.
    """
    model, problems = _validated(document, document.data)
    problems += document.problems
    if model is not None and not problems:
        return model
    # What is right is checked too, without the parts that are not.
    from .planning import Plan

    partial, data = model, document.data
    for _ in range(DEEPEST):
        if partial is not None:
            problems += Plan(partial, document, partial=True).problems
            break
        data = _without_mistakes(document, data)
        partial, _ = _validated(document, data)
    raise ScenarioError.of(problems)


def _validated(document: Document, data: Any) -> tuple[Model | None, list[ScenarioError]]:
    """The model, or what is wrong."""
    try:
        return Model.model_validate(data), []
    except ValidationError as error:
        found = [(_path(document, details["loc"]), details) for details in error.errors(include_url=False)]
        return None, [
            _explain(document, details)
            for path, details in found
            if not any(path[: len(spoiled)] == spoiled for spoiled in document.spoiled)
        ]


#: What stands in for a key that is missing or wrong, and that a scenario can't do without.
_INSTEAD: dict[Any, Any] = {"scenario": "?", "ranks": MOST_RANKS, "expect": {}}

#: What stands in for an entry of a list that is wrong, by the list's key, so that the others keep their places.
_ENTRIES: dict[Any, dict[str, Any]] = {
    **{key: {"name": "\0"} for key in ("jobs", "queue", "listeners", "schedulers")},
    "events": {"at": "0s"},
}


def _without_mistakes(document: Document, data: Any) -> Any:
    """The values without those that are wrong; what they can't do without is made up."""
    wrong: list[ErrorDetails] = []
    try:
        Model.model_validate(data)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
    left = _copy(data)
    for number, details in enumerate(wrong):
        path: KeyPath = _path(document, details["loc"])
        if details["type"] == "missing":
            path = (*path, details["loc"][-1])
        with contextlib.suppress(KeyError, IndexError, TypeError):  # it is gone already, with what was around it
            _replace(left, path, number)
    return left


def _replace(left: Any, path: KeyPath, number: int) -> None:
    """Take a value out, or put another in its place where there must be one.

    :param number: makes names differ.
    """
    *before, last = path
    if not before and last in _INSTEAD:
        left[last] = _copy(_INSTEAD[last])
        return
    around: Any = None
    within = left
    for step in before:
        around, within = within, within[step]
    if isinstance(within, dict):
        if last == "name":
            within[last] = f"\0{number}"
        else:
            del within[last]
    elif before[-1] in _ENTRIES:
        within[last] = {
            key: f"{value}{number}" if key == "name" else value for key, value in _ENTRIES[before[-1]].items()
        }
    else:
        del around[before[-1]]


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(each) for each in value]
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return value


def _path(document: Document, loc: tuple[Any, ...]) -> KeyPath:
    """The part of a location that is a path into the document: pydantic puts its own words in between."""
    path: KeyPath = ()
    for step in loc:
        if (*path, step) in document.values or (*path, step) in document.keys:
            path = (*path, step)
    return path


_TYPES = {
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "float_type": "a number",
}


def _explain(document: Document, details: ErrorDetails) -> ScenarioError:
    """One of pydantic's errors, in the words of the language."""
    loc, kind, context = details["loc"], details["type"], details.get("ctx", {})
    path = _path(document, loc)
    value = details["input"]
    if kind == "extra_forbidden":
        return document.wrong(path, unknown_key(loc[-1], _keys_at(loc[:-1])), key=True)
    if kind == "missing":
        known = {info.alias or name: info.description for name, info in _model_at(loc[:-1]).model_fields.items()}
        what = str(known[str(loc[-1])]).rstrip(".")
        return document.wrong(path, f"{loc[-1]!r} is missing: {what[0].lower()}{what[1:]}", key=True)
    if kind == "scenario":
        return document.wrong(path, str(context["message"]))
    if kind == "literal_error":
        right = str(context["expected"]).replace("'", "")
        near = difflib.get_close_matches(str(value), [w.strip() for w in right.replace(" or ", ",").split(",")], n=1)
        return document.wrong(
            path,
            f"{shown(value)} is none of {right}" + (f": did you mean {near[0]}?" if near else ""),
            key="[key]" in loc,
        )
    if kind in _TYPES:
        quote = f": write '{value}', in quotes" if kind == "string_type" and isinstance(value, int | float) else ""
        return document.wrong(path, f"{shown(value)} stands where {_TYPES[kind]} belongs{quote}", key="[key]" in loc)
    limits = {"greater_than_equal": "ge", "less_than_equal": "le", "greater_than": "gt"}
    if kind in limits:
        words = {"ge": "or more", "le": "or less", "gt": "exclusive"}
        key = limits[kind]
        bound = f"more than {context[key]:g}" if key == "gt" else f"{context[key]} {words[key]}"
        return document.wrong(path, f"{shown(value)} is out of range: it must be {bound}", key="[key]" in loc)
    return document.wrong(path, f"{shown(value)}: {details['msg'][0].lower()}{details['msg'][1:]}", key="[key]" in loc)


def unknown_key(key: Any, known: list[str]) -> str:
    """That a key is unknown, and which is the nearest."""
    near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
    if near:
        return f"unknown key {shown(key)}: did you mean {near[0]!r}?"
    return f"unknown key {shown(key)}: there are {', '.join(known)}"


def _models(annotation: Any) -> Iterator[type[Any]]:
    """The models that are somewhere in a type."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)


def _model_at(loc: tuple[Any, ...]) -> Any:
    model: Any = Model
    for step in loc:
        fields = {info.alias or name: info for name, info in model.model_fields.items()}
        if step in fields:
            model = next(_models(fields[step].annotation), model)
    return model


def _keys_at(loc: tuple[Any, ...]) -> list[str]:
    return [info.alias or name for name, info in _model_at(loc).model_fields.items()]
