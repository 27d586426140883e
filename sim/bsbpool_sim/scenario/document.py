"""Reads YAML into plain values with their places, and reports mistakes with file, line and column.

Only a safe subset of YAML is accepted: no tags, no anchors, no duplicate keys, limited in size and depth. Of plain
words, only null, true, false and numbers are not text. What the values mean belongs to `model`; whether they are a
scenario belongs to `loading`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from .syntax import explain
from .written_values import shown_yaml

#: Maximal size of a scenario file in bytes.
LARGEST = 256_000
#: How many mistakes of a file are reported one by one.
MOST_TOLD = 100
#: How deep mappings and lists can be nested.
DEEPEST = 20


class FileKind(NamedTuple):
    """What is read, for messages.

    :ivar least: what a file has at the least.
    :ivar mapping: what it is.
    """

    least: str
    mapping: str


SCENARIO = FileKind(
    "a scenario has at least the keys scenario, ranks, jobs and expect",
    "a scenario is a mapping with the keys scenario, ranks, jobs, expect",
)

TextPlace = tuple[int, int]
KeyPath = tuple[Any, ...]


class ScenarioError(Exception):
    """A scenario file can't be used: where, why, and what would be right.

    :param file: its path.
    :param place: the line and column of the mistake, from 1.
    :param message: what is wrong there.
    :param others: further mistakes in the file, in the order of lines.
    :ivar line: the line, from 1.
    :ivar column: the column, from 1.
    """

    def __init__(self, file: str, place: TextPlace, message: str, others: Sequence[ScenarioError] = ()):
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
        """Combine the errors of one file.

        :param errors: the errors; equal ones are kept once.
        :returns: the first error, with the others in `others`.
        """
        each = {error.args[0]: error for error in errors}
        first, *others = sorted(each.values(), key=lambda error: (error.line, error.column))
        return cls(first.file, (first.line, first.column), first.message, others)


@dataclass
class Document:
    """The values of a file, with the place (line and column, from 1) of each value and key by its path."""

    file: str
    data: Any = None
    values: dict[KeyPath, TextPlace] = field(default_factory=dict)
    keys: dict[KeyPath, TextPlace] = field(default_factory=dict)
    #: mistakes in its YAML that did not prevent reading it.
    problems: list[ScenarioError] = field(default_factory=list)
    #: paths of values that could not be read; these mistakes are reported already.
    spoiled: list[KeyPath] = field(default_factory=list)

    def place(self, path: KeyPath, *, key: bool = False) -> TextPlace:
        """Return the place of the value at a path, or of its key; if there is none, of the nearest value around it."""
        while path:
            if key and path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
            path = path[:-1]
        return self.values.get((), (1, 1))

    def wrong(self, path: KeyPath, message: str, *, key: bool = False) -> ScenarioError:
        """Make an error at a path."""
        return ScenarioError(self.file, self.place(path, key=key), message)


# -- YAML ----------------------------------------------------------------------------------------------

#: The fastest parser that is installed; all parsers give the same values.
PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}$", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,3})?$", re.ASCII)
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def value_of_word(text: str) -> Any:
    """Return the value of a plain word: null, true, false, a number, or the word itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def _place(mark: Any) -> TextPlace:
    return mark.line + 1, mark.column + 1


_SAFE_TAGS = (None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _Reader:
    """Builds a document from the events of a parser, without recursion."""

    def __init__(self, file: str):
        self.document = Document(file)
        # For each open mapping or list: the collection, its path, and the key whose value comes next.
        self._open: list[tuple[Any, KeyPath, list[Any]]] = []
        self.documents = 0
        self.problems: list[ScenarioError] = []

    def wrong(self, event: Any, message: str) -> ScenarioError:
        return ScenarioError(self.document.file, _place(event.start_mark), message)

    def report(self, event: Any, message: str) -> None:
        """Report a mistake that does not prevent reading the rest."""
        self.problems.append(self.wrong(event, message))

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.DocumentStartEvent:
            self.documents += 1
            if self.documents > 1:
                raise self.wrong(event, "a second document begins here: write one scenario a file")
        elif kind is yaml.AliasEvent:
            self.report(
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
            self.report(
                event, f"&{event.anchor} is an anchor, which scenarios do without: write it out, or use repeat for jobs"
            )
        if event.tag not in _SAFE_TAGS:
            spoiled = True
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.report(
                event,
                f"{tag} is a tag that builds an object, which a scenario can't do: write plain "
                "text, numbers, lists and mappings",
            )
        if kind is yaml.ScalarEvent:
            value: Any = value_of_word(event.value) if event.implicit[0] and event.tag is None else event.value
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
        """Store a value. Returns its path; None if it is a key."""
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
                raise self.wrong(event, f"{shown_yaml(value)} is no key: a key is a word")
            place = (*path, value)
            if value in within:
                line = self.document.keys[place][0]
                self.report(event, f"{shown_yaml(value)} stands here a second time: it is on line {line} already")
            self.document.keys[place] = _place(event.start_mark)
            within[value] = None
            key.append(value)
            return None
        path = (*path, key.pop())
        within[path[-1]] = value
        return path


def read(text: str, file: str, kind: FileKind = SCENARIO) -> Document:
    """Read the values of a YAML text; `problems` has the mistakes that did not prevent reading it.

    :raises ScenarioError: it is not YAML, or not of the subset that scenarios use.
    """
    reader = _Reader(file)
    try:
        _parse(text, reader, PARSER)
    except yaml.YAMLError as error:
        raise ScenarioError.of([*reader.problems, _syntax_error(text, file, error)]) from None
    except ScenarioError as error:
        raise ScenarioError.of([*reader.problems, error]) from None
    reader.document.problems = reader.problems
    if not reader.documents:
        raise ScenarioError(file, (1, 1), f"is empty: {kind.least}")
    if not isinstance(reader.document.data, dict):
        data = reader.document.data
        is_a = "a list" if isinstance(data, list) else shown_yaml(data)
        raise reader.document.wrong((), f"is {is_a}: {kind.mapping}")
    return reader.document


def _parse(text: str, reader: _Reader, parser: Any) -> None:
    for event in yaml.parse(text, Loader=parser):
        reader.take(event)


def _syntax_error(text: str, file: str, error: yaml.YAMLError) -> ScenarioError:
    """Return the error of the pure Python parser, which is the same on every machine.

    The reader takes the events of that parser too, and stops it at deep nesting, for which it takes quadratic time.
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
