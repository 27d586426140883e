"""Loads a scenario file, and reports all of its mistakes at once, each with its line.

Reading YAML is in `document`, the meaning of the values in `model`, and the scenario as a whole in `planning`.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bsbpool.sizes import MOST_RANKS
from bsbpool.worlds.opening import open_to_read

from .document import DEEPEST, LARGEST, SCENARIO, Document, FileKind, KeyPath, ScenarioError, read
from .expanding import LEFT_OUT
from .model import Entry, Model
from .planning import Plan, gap_of_event
from .written_values import shown_yaml

_Entry = TypeVar("_Entry", bound=Entry)


def load_model(path: str | Path) -> tuple[Model, Document]:
    """Load the model of a scenario file, with the places of its parts.

    :raises ScenarioError: it can't be used.
    """
    document = read_file(path)
    return validate(document), document


def read_file(path: str | Path, kind: FileKind = SCENARIO) -> Document:
    """Return the values in a file, with their places.

    :raises ScenarioError: it can't be read, or is none of these files.
    """
    file = str(path)
    try:
        with open_to_read(path) as stream:
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
    return read(text, file, kind)


def validate(document: Document) -> Model:
    """Validate the values of a document.

    :raises ScenarioError: they are not a scenario, or their YAML has mistakes; it has all mistakes.
    """
    model, problems = _validated(document, document.data, Model)
    problems += document.problems
    if model is not None and not problems:
        return model
    # The correct parts are checked as a whole too, without the wrong ones.
    partial, data = model, document.data
    lost: set[str] = set(_GAPS) if document.problems else set()
    for _ in range(DEEPEST):
        if partial is not None:
            problems += Plan(partial, document, gaps=lost).problems
            break
        data, wrong = _without_mistakes(document, data)
        lost.update(*map(gaps, wrong))
        partial, _ = _validated(document, data, Model)
    raise ScenarioError.of(problems)


#: Kinds of names that may be removed with a mistake, and `events` and `statuses`, of which there may be less then.
_GAPS = frozenset({"jobs", "strategies", "phases", "listeners", "schedulers", "events", "statuses"})

#: Keys whose values bring names.
_NAMING = frozenset({"name", "repeat", "jobs", "queue", "schedulers", "listeners", "recording"})


def gaps(path: KeyPath) -> frozenset[str]:
    """What may be missing from a scenario once the value at this path is left out."""
    top, last = (path[0], path[-1]) if path else (None, None)
    names = last in _NAMING or (isinstance(last, int) and path[-2] in _NAMING)
    if top in ("jobs", "recording"):
        return frozenset({"jobs"} if names else ())
    if top == "schedulers":
        return frozenset({"jobs", "schedulers"} if names else ())
    if top == "events":
        # Where one event is wrong, the others are whole, and their own mistakes are told.
        events = "events" if last == "events" else gap_of_event(path[1])
        return frozenset({"jobs", events} if names or last == "events" or path[-2] == "events" else {events})
    if top == "pool":
        return frozenset({"listeners"} if names or last == "pool" else ())
    if top == "strategies":
        return frozenset({"strategies"})
    if top == "workflow":
        return frozenset({"phases"})
    if top == "expect":
        return frozenset({"statuses"} if last == "expect" or path[1] == "statuses" else ())
    return frozenset() if top in Model.model_fields else _GAPS


def validate_as(kind: type[_Entry], document: Document) -> _Entry:
    """Validate the values of a document against another model than that of a scenario.

    :raises ScenarioError: they do not fit the model, or their YAML has mistakes.
    """
    model, problems = _validated(document, document.data, kind)
    problems += document.problems
    if model is None or problems:
        raise ScenarioError.of(problems)
    return model


def _validated(document: Document, data: Any, kind: type[_Entry]) -> tuple[_Entry | None, list[ScenarioError]]:
    """Return the model, or the mistakes."""
    try:
        return kind.model_validate(data), []
    except ValidationError as error:
        found = [(_path(document, details["loc"]), details) for details in error.errors(include_url=False)]
        return None, [
            _explain(document, details, kind)
            for path, details in found
            if not any(path[: len(spoiled)] == spoiled for spoiled in document.spoiled)
        ]


#: Values that replace required keys which are missing or wrong.
_INSTEAD: dict[Any, Any] = {"scenario": "?", "ranks": MOST_RANKS, "expect": {}}

#: Values that replace wrong entries of a list, by the key of the list, so that the other entries keep their index.
_ENTRIES: dict[Any, Any] = {
    **{key: {"name": "\0"} for key in ("jobs", "queue", "listeners", "schedulers")},
    "events": {"at": "0s"},
    "order": "ping",
}


def _without_mistakes(document: Document, data: Any) -> tuple[Any, list[KeyPath]]:
    """Return the values without the wrong ones, and where these are; required values are replaced."""
    wrong: list[ErrorDetails] = []
    try:
        Model.model_validate(data)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
    left, paths = _copy(data), []
    for number, details in enumerate(wrong):
        path: KeyPath = _path(document, details["loc"])
        if details["type"] == "missing":
            path = (*path, details["loc"][-1])
        paths.append(path)
        with contextlib.suppress(KeyError, IndexError, TypeError):  # it was removed already, with a value around it
            _replace(left, path, number)
    return left, paths


def _replace(left: Any, path: KeyPath, number: int) -> None:
    """Remove a value, or replace it if it is required.

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
        elif last == "repeat":
            within[last] = 1  # the name holds {i} still
        elif (names := _names_of(within[last])) is not None:
            within[last] = names
        else:
            del within[last]
    elif before[-1] in _ENTRIES:
        entry: Any = _copy(_ENTRIES[before[-1]])
        if "name" in entry:
            entry["name"] += str(number)
        within[last] = entry
    else:
        del around[before[-1]]


def _names_of(value: Any) -> list[str] | None:
    """Return a list that has texts and other entries, with the others replaced: each text may be a name of nothing."""
    names = [each if isinstance(each, str) else LEFT_OUT for each in value] if isinstance(value, list) else []
    return names if {*names} - {LEFT_OUT} and names != value else None


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(each) for each in value]
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return value


def _path(document: Document, loc: tuple[Any, ...]) -> KeyPath:
    """Return the part of a location that is a path in the document: pydantic inserts words of its own."""
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


def _explain(document: Document, details: ErrorDetails, root: Any) -> ScenarioError:
    """Describe one of pydantic's errors in the terms of the language."""
    loc, kind, context = details["loc"], details["type"], details.get("ctx", {})
    path = _path(document, loc)
    value = details["input"]
    if kind == "extra_forbidden":
        return document.wrong(path, unknown_key(loc[-1], _keys_at(root, loc[:-1])), key=True)
    if kind == "missing":
        known = {info.alias or name: info.description for name, info in _model_at(root, loc[:-1]).model_fields.items()}
        what = str(known[str(loc[-1])]).rstrip(".")
        return document.wrong(path, f"{loc[-1]!r} is missing: {what[0].lower()}{what[1:]}", key=True)
    if kind == "scenario":
        return document.wrong(path, str(context["message"]))
    if kind == "literal_error":
        right = str(context["expected"]).replace("'", "")
        near = difflib.get_close_matches(str(value), [w.strip() for w in right.replace(" or ", ",").split(",")], n=1)
        return document.wrong(
            path,
            f"{shown_yaml(value)} is none of {right}" + (f": did you mean {near[0]}?" if near else ""),
            key="[key]" in loc,
        )
    if kind in _TYPES:
        quote = f": write '{value}', in quotes" if kind == "string_type" and isinstance(value, int | float) else ""
        return document.wrong(
            path, f"{shown_yaml(value)} stands where {_TYPES[kind]} belongs{quote}", key="[key]" in loc
        )
    limits = {"greater_than_equal": "ge", "less_than_equal": "le", "greater_than": "gt"}
    if kind in limits:
        words = {"ge": "or more", "le": "or less", "gt": "exclusive"}
        key = limits[kind]
        bound = f"more than {context[key]:g}" if key == "gt" else f"{context[key]} {words[key]}"
        return document.wrong(path, f"{shown_yaml(value)} is out of range: it must be {bound}", key="[key]" in loc)
    return document.wrong(
        path, f"{shown_yaml(value)}: {details['msg'][0].lower()}{details['msg'][1:]}", key="[key]" in loc
    )


def unknown_key(key: Any, known: list[str]) -> str:
    """Describe an unknown key, with the most similar known key."""
    near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
    if near:
        return f"unknown key {shown_yaml(key)}: did you mean {near[0]!r}?"
    return f"unknown key {shown_yaml(key)}: there are {', '.join(known)}"


def _models(annotation: Any) -> Iterator[type[Any]]:
    """Return the models that occur in a type."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)


def _model_at(root: Any, loc: tuple[Any, ...]) -> Any:
    model: Any = root
    for step in loc:
        fields = {info.alias or name: info for name, info in model.model_fields.items()}
        if step in fields:
            model = next(_models(fields[step].annotation), model)
    return model


def _keys_at(root: Any, loc: tuple[Any, ...]) -> list[str]:
    return [info.alias or name for name, info in _model_at(root, loc).model_fields.items()]
