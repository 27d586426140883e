"""Describes what is wrong with a line of a trace, and refuses JSON with such values.

`format` defines what a line contains; `reading` reads lines.
"""

from __future__ import annotations

import json
from typing import Any

from ..text import harmless

__all__ = ["DECODER", "MISSING", "Malformed", "should_be", "shown_json"]

#: What stands for the value of a field that is not there.
MISSING: Any = object()


class Malformed(Exception):
    """A line is not as it should be; the message says what would be right."""


def should_be(value: Any, field: str, what: str, kind: str | None = None) -> Malformed:
    """What is wrong with a field that has another value than it should, or none."""
    where = f"{field} of {kind!r}" if kind else field
    if value is MISSING:
        return Malformed(f"{where} is missing; it should be there, and hold: {what}")
    return Malformed(f"{where} is {shown_json(value)}; it should be: {what}")


def shown_json(value: Any) -> str:
    """A value in a message: short, and harmless."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) > 10**20:
        return "a number with too many digits"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list) and len(value) > 8:
        return f"a list of {len(value):,}"
    text = harmless(repr(value))
    return text if len(text) <= 60 else text[:59] + "…"


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} stands there, which is no JSON; a number that is none is written as a text")


def _finite(digits: str) -> float:
    number = float(digits)
    if number - number != 0:
        raise Malformed(f"{digits[:20]} is too large a number")
    return number


DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
