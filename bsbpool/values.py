"""Safe handling of the user's values: arguments, contexts, submitters, nodes, errors, results.

The pool keeps and passes on such values. It does not test whether a value is true, equal to another or hashable, unless
the value is there for that: an array has no truth value, and each of these operations may raise. The functions here
make the text of a value, for a name or a message, and never raise.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Mapping
from numbers import Real
from types import FunctionType
from typing import Any

#: How many characters of a value's `repr` a message has.
SHOWN = 200


def text_of(value: Any) -> str:
    """Return the text of a value, or a replacement if making it raises: a name must not stop a pool."""
    try:
        return str(value)
    except Exception as error:
        return _without("text", value, error)


def shown(value: Any) -> str:
    """Return the `repr` of a value for an error message, cut if it is long; or a replacement if it raises."""
    try:
        text = repr(value)
    except Exception as error:
        return _without("repr", value, error)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _without(what: str, value: Any, error: Exception) -> str:
    return f"<{type(value).__name__} whose {what} raises {type(error).__name__}>"


def name_of(node: Any) -> str:
    """Return the node name of a submitter, or its text if it has none; never raises."""
    kind = type(node)
    if kind is str:
        return str(node)
    if kind is FunctionType and not hasattr(node, "get_node_name"):
        return str(node)
    try:
        return node_name(node)
    except Exception as error:
        return _without("get_node_name()", node, error)


def node_name(node: Any) -> str:
    """Return the node name of an object, or its text if it has none.

    :raises Exception: `get_node_name()` raised it.
    """
    if isinstance(node, type):  # a class: its instances have names
        return text_of(node)
    return text_of(node.get_node_name() if hasattr(node, "get_node_name") else node)


def listed(values: Any) -> list[Any] | None:
    """Return the items of a list, a tuple, an array or another iterable; None for other values, texts and mappings."""
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
    """Convert an integer of any type, such as NumPy's, to `int`; None for other values."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except Exception:
        return None


def positive(value: Any) -> float | None:
    """Convert a real number above 0, of any type, to `int` or `float`; None for other values."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    number = value if isinstance(value, int) else float(value)
    return number if number > 0 else None


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception of the user, if possible."""
    with contextlib.suppress(Exception):  # its __notes__ is not a list, or it overrides add_note()
        error.add_note(note)
