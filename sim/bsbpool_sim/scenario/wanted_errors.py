"""The errors that a scenario expects: as facts of a kind of error, or as a pattern of type and message.

Facts are those of `bsbpool.facts`, with the names of the trace format. Comparing them needs no message; a pattern is
compared with the message.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import PlainValidator, WithJsonSchema

from bsbpool.durations import exact_duration
from bsbpool.facts import ERRORS, Error
from bsbpool.trace.format import ERROR_FIELDS, STATUSES

from .patterns import matcher
from .written_values import duration_value, shown_yaml, wrong

__all__ = ["Wanted", "WantedError"]

#: Types of facts, as `ERROR_FIELDS` calls them, and what follows the type of one that may be unknown.
_TEXT, _RANKS, _OR_NULL = "text", "list of ranks of any run", " or null"


class WantedError(NamedTuple):
    """An error that a scenario expects.

    :ivar text: how the scenario says it.
    :ivar pattern: a pattern of ``"ValueError: message"``; None if facts are expected.
    :ivar kind: the kind of error, as traces call it.
    :ivar facts: values of its fields: patterns of those that are texts.
    """

    text: str
    pattern: str | None
    kind: str = ""
    facts: tuple[tuple[str, Any], ...] = ()

    def fits(self, error: Error, words: Callable[[Error], str]) -> bool:
        """Return whether an error is the expected one.

        :param words: gives the type and message of an error.
        """
        if self.pattern is not None:
            return bool(matcher(self.pattern)(words(error)))
        return error.kind == self.kind and all(
            _same(wanted, getattr(error, name), words) for name, wanted in self.facts
        )


def _same(wanted: Any, value: Any, words: Callable[[Error], str]) -> bool:
    if isinstance(wanted, WantedError):
        return value is not None and wanted.fits(value, words)
    if isinstance(wanted, tuple):
        return bool(wanted == tuple(sorted(value)))  # which rank came first depends on the order of an instant
    return bool(matcher(wanted)(value)) if isinstance(wanted, str) and isinstance(value, str) else bool(wanted == value)


def _read_wanted(value: Any) -> WantedError:
    if isinstance(value, str):
        return WantedError(value, value)
    if not isinstance(value, dict):
        raise wrong(
            f"{shown_yaml(value)} is no error: write a pattern such as 'ValueError: *', or facts such as "
            "{kind: overdue, limit: 2s}"
        )
    facts = dict(value)
    kind = facts.pop("kind", None)
    if kind not in ERRORS:
        near = difflib.get_close_matches(str(kind), ERRORS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"kinds are {', '.join(ERRORS)}"
        raise wrong(
            f"{shown_yaml(kind)} is no kind of error: {hint}" if "kind" in value else f"kind is missing: {hint}"
        )
    read = []
    for name, fact in facts.items():
        wanted = _FIELDS[kind].get(name)
        if wanted is None:
            raise wrong(f"{shown_yaml(name)} is no fact of {kind!r}: there are {', '.join(_FIELDS[kind]) or 'none'}")
        read.append((name, _read_fact(name, wanted, fact)))
    text = ", ".join(f"{name} {_said(_FIELDS[kind][name], fact)}" for name, fact in read)
    return WantedError(f"{kind}: {text}" if text else kind, None, kind, tuple(read))


def _read_fact(name: str, wanted: str, value: Any) -> Any:
    """A fact of some type, as `ERROR_FIELDS` calls it."""
    if value is None and wanted.endswith(_OR_NULL):
        return None
    wanted = wanted.removesuffix(_OR_NULL)
    if wanted == "nanoseconds":
        return duration_value(value)
    if wanted == "error":
        return _read_wanted(value)
    if wanted == _RANKS:
        if not isinstance(value, list) or not all(isinstance(rank, int) for rank in value):
            raise wrong(f"{name} is {shown_yaml(value)}; it should be a list of ranks")
        return tuple(sorted(value))
    if wanted == "true or false":
        good = isinstance(value, bool)
    elif wanted == _TEXT:
        good = isinstance(value, str)
    elif wanted in STATUSES:
        good, wanted = value in STATUSES[wanted], f"one of {', '.join(STATUSES[wanted])}"
    else:
        good, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    if not good:
        raise wrong(f"{name} is {shown_yaml(value)}; it should be {wanted}")
    return value


def _said(wanted: str, fact: Any) -> str:
    if fact is None:
        return "unknown"
    if isinstance(fact, WantedError):
        return f"({fact.text})"
    if isinstance(fact, tuple):
        return str([*fact])
    return exact_duration(fact) if wanted.startswith("nanoseconds") else str(fact)


def _comparable(wanted: str) -> bool:
    """Whether a scenario can say what a fact of a type is: not of lists of errors."""
    return wanted == _RANKS or not wanted.startswith("list of")


_FIELDS = {
    kind: {name: wanted for name, wanted in fields.items() if _comparable(wanted)}
    for kind, fields in ERROR_FIELDS.items()
}

_NAMES = sorted({name for fields in _FIELDS.values() for name in fields})
Wanted = Annotated[
    WantedError,
    PlainValidator(_read_wanted),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"kind": {"enum": [*ERRORS]}, **{name: {} for name in _NAMES}},
                    "required": ["kind"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
