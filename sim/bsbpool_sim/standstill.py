"""Decides whether a program that looks again is in the same state: the place of a task in its code, and its variables.

A program that looks in a loop, finds nothing, and has the same state afterwards, waits. The state is the lines of the
program that are being executed, and their variables: numbers, texts, containers, arrays, and the attributes of objects.
Other state, such as files or generators, is not compared. `looks` uses this.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections import deque
from collections.abc import Hashable
from types import CodeType, FrameType
from typing import Any, NamedTuple

from bsbpool.frames import OWN_PACKAGES, Whose, outward, whose

#: Items of containers that are looked at for one variable, and bytes of an array. More of them count as something new.
MOST_ITEMS, MOST_BYTES = 500, 65_536

_VALUES = (int, float, complex, str, bytes, bool, type(None))
_LISTS = (list, tuple, deque)


class Standstill(NamedTuple):
    """Where a task is.

    :ivar what: what it looks at, or asks for.
    :ivar lines: the places in the program's code that are being run, the innermost first.
    :ivar known: their variables.
    """

    what: Hashable
    lines: Hashable
    known: Hashable


def standstill(frame: FrameType | None, what: Hashable) -> Standstill:
    """Return where a task is in its program.

    :param frame: its innermost frame.
    :param what: what it looks at, or asks for.
    """
    lines, known = [], []
    for each in outward(frame):
        of = whose(each)
        if of is Whose.OWN or of is Whose.TOOL:
            continue
        lines.append((each.f_code, _position(each.f_code, each.f_lasti)))
        reading = _Reading()
        # One that has no value yet is as good as one that has none.
        variables = [(name, value) for name, value in each.f_locals.items() if value is not None]
        known.append(tuple([(name, reading.of(value)) for name, value in variables]))
        if of is Whose.USER:
            space = each.f_globals
            names = [name for name in each.f_code.co_names if name in space]
            known.append(tuple([(name, reading.of(space[name])) for name in names]))
    return Standstill(what, tuple(lines), tuple(known))


@functools.lru_cache(maxsize=4096)
def _position(code: CodeType, instruction: int) -> Hashable:
    """Where in the text an instruction is: of the condition of a loop, Python makes two copies."""
    position = next(itertools.islice(code.co_positions(), instruction // 2, None), None)
    return instruction if position is None or None in position else position


class _Reading:
    """Reads the variables of one frame."""

    def __init__(self) -> None:
        self._left = MOST_ITEMS
        self._seen: dict[int, int] = {}

    def of(self, value: Any) -> Hashable:
        """What a value is, so that equal ones are the same."""
        kind = type(value)
        if kind in _VALUES:
            return kind, value if value == value else "nan"
        number = self._seen.get(id(value))
        if number is not None:
            return "seen", number
        self._seen[id(value)] = len(self._seen)
        self._left -= 1
        if self._left < 0:
            return object()  # equal to nothing: it is too much to be compared
        if kind in _LISTS:
            return (kind, *map(self.of, value))
        if kind is dict:
            return (kind, *[(self.of(key), self.of(each)) for key, each in value.items()])
        if kind is set or kind is frozenset:
            return kind, len(value), frozenset(each for each in value if type(each) in _VALUES)
        return self._of_object(kind, value)

    def _of_object(self, kind: type, value: Any) -> Hashable:
        """What any other object is. Its address says nothing: that is another one in each run."""
        module = getattr(kind, "__module__", None) or ""
        if module.partition(".")[0] in OWN_PACKAGES:
            return kind  # what it tells comes from its methods
        if module == "numpy" and hasattr(value, "tobytes"):
            return value.tobytes() if value.nbytes <= MOST_BYTES else object()
        if kind is bytearray:
            return bytes(value) if len(value) <= MOST_BYTES else object()
        if isinstance(value, type) or module == "builtins":
            return kind, getattr(value, "__qualname__", None), _left_of(value)
        attributes = getattr(value, "__dict__", None)
        return (kind, self.of(attributes)) if type(attributes) is dict else kind


def _left_of(value: Any) -> int | None:
    """How many items an iterator has left, if it knows."""
    try:
        return operator.length_hint(value, -1) if hasattr(type(value), "__next__") else None
    except Exception:  # a program's own
        return None
