"""What the pool may do with values that are the user's: arguments, contexts, submitters, nodes, errors, results.

They are kept and handed on. Nobody asks such a value whether it is true, equal to another one or hashable, unless that
is what it is there for: an array can't say whether it is true, and any of these may raise. Where a text of one is
needed, for a name or a message, it comes from here, and never raises.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Mapping
from numbers import Real
from typing import Any

#: Characters of a value's `repr` that a message has.
SHOWN = 200


def text_of(value: Any) -> str:
    """The text of a value, or that it has none: what something is called must not be what stops a pool."""
    try:
        return str(value)
    except Exception as error:
        return _without("text", value, error)


def shown(value: Any) -> str:
    """The `repr` of a value for an error message, cut where it is long; or that it has none."""
    try:
        text = repr(value)
    except Exception as error:
        return _without("repr", value, error)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _without(what: str, value: Any, error: Exception) -> str:
    return f"<{type(value).__name__} whose {what} raises {type(error).__name__}>"


def name_of(node: Any) -> str:
    """The node name of whoever submits jobs, or the text of what else it is; or that it has none."""
    try:
        return node_name(node)
    except Exception as error:
        return _without("get_node_name()", node, error)


def node_name(node: Any) -> str:
    """The node name of what has one, or the text of what else it is.

    :raises Exception: whatever `get_node_name()` raises.
    """
    if isinstance(node, type):  # its objects have names
        return text_of(node)
    return text_of(node.get_node_name() if hasattr(node, "get_node_name") else node)


def listed(values: Any) -> list[Any] | None:
    """The values of a list, a tuple, an array or another iterable; None if it is no iterable, or a text or mapping."""
    if type(values) in (list, tuple):
        return [*values]
    if isinstance(values, str | bytes | bytearray | Mapping):
        return None
    try:
        each = iter(values)
    except TypeError:
        return None
    return [*each]


def whole_number(value: Any) -> int | None:
    """An integer of any kind, such as NumPy's, as an `int`; None if it is none."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except Exception:
        return None


def positive(value: Any) -> float | None:
    """A real number above 0, of any kind, as an `int` or `float`; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    number = value if isinstance(value, int) else float(value)
    return number if number > 0 else None


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception of the user's, if it takes notes."""
    with contextlib.suppress(Exception):  # its __notes__ are no list, or its add_note() is another one
        error.add_note(note)
