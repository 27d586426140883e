"""Decides whether a program that is where it was may be further on in a `for` loop, which none of its variables tells.

How far a `for` loop is, is known by its iterator, and that is in no variable. Its target tells it where no value comes
twice, as in a `range`. It does not in ``for _ in [None] * 6`` or ``for delay in (0.1, 0.1, 0.1)``. So the code of
each frame is looked through for the loops that are being run. `standstill` uses this; it reads variables.
"""

from __future__ import annotations

import dis
import functools
import itertools
import operator
from collections.abc import Iterable
from enum import IntEnum
from types import CodeType, FrameType
from typing import Any, NamedTuple

#: What gives no value twice; what gives the values of something, each once; and methods that do.
_DISTINCT, _SAME, _METHODS = ("range", "enumerate"), ("sorted", "list", "tuple", "reversed", "iter"), ("items", "keys")
#: What is compared by its value here: other objects may be equal for those who read them.
_SIMPLE = (int, float, str, bytes)
_VARIABLES = ("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")


class Hidden(IntEnum):
    """Whether something that no variable tells has moved on, if a program is where it was."""

    NO = 0
    #: A loop has moved on, or was begun anew.
    PERHAPS = 1
    #: There is no other way back.
    SURELY = 2


class Loop(NamedTuple):
    """A loop in the code of a function.

    :ivar begin: its first instruction.
    :ivar end: its last.
    :ivar is_for: whether it is a `for` loop.
    :ivar over: the variable that it goes over, and attributes of that; a constant in a tuple; None: something else.
    :ivar distinct: whether no value comes twice.
    """

    begin: int
    end: int
    is_for: bool = False
    over: tuple[Any, ...] | list[str] | None = None
    distinct: bool = False

    def tells(self, frame: FrameType) -> bool:
        """Whether the target of the loop tells how far it is."""
        if self.over is None:
            return self.distinct
        if isinstance(self.over, tuple):
            return _no_value_twice(self.over[0])
        name, *attributes = self.over
        value = (frame.f_locals if name in frame.f_locals else frame.f_globals).get(name)
        for attribute in attributes:
            kept = getattr(value, "__dict__", None)
            value = kept.get(attribute) if isinstance(kept, dict) else None
        return _no_value_twice(value)


def hidden(frames: Iterable[FrameType]) -> Hidden:
    """Return whether something that no variable tells has moved on if the program is again where it is.

    :param frames: a stack, the innermost frame first.
    """
    found = Hidden.NO
    for frame in frames:
        places = _copies(frame.f_code, frame.f_lasti)
        for loop in reversed(_loops(frame.f_code)):
            if not any(loop.begin <= each <= loop.end for each in places):
                continue
            if not loop.is_for:
                return found
            if not loop.tells(frame):
                found = Hidden.PERHAPS
    return Hidden.SURELY  # if there is no loop at all, something calls again and again that is not in Python


def _no_value_twice(values: Any) -> bool:
    if isinstance(values, (set, frozenset, dict, range)):
        return True
    if type(values) not in (list, tuple, str, bytes):
        return False
    return all(type(value) in _SIMPLE for value in values) and len({*values}) == len(values)


@functools.lru_cache(maxsize=4096)
def _copies(code: CodeType, instruction: int) -> list[int]:
    """Where an instruction is, and its copies: of the condition of a `while` loop, one is before the loop."""
    positions = list(code.co_positions())
    position = positions[instruction // 2]
    if None in position:
        return [instruction]
    return [2 * number for number, each in enumerate(positions) if each == position]


@functools.lru_cache(maxsize=4096)
def _loops(code: CodeType) -> tuple[Loop, ...]:
    """The loops of a function, inner ones behind outer ones."""
    instructions = [each for each in dis.get_instructions(code) if each.opname not in ("CACHE", "EXTENDED_ARG")]
    at = {each.offset: number for number, each in enumerate(instructions)}
    ends: dict[int, int] = {}
    for each in instructions:
        if "BACKWARD" in each.opname and not instructions[_first(at, each.argval)].opname.startswith("SEND"):
            ends[each.argval] = max(each.offset, ends.get(each.argval, 0))
    # Handlers of exceptions are behind the loop that they are in, and jump back into the middle of it.
    for begin, end in sorted(ends.items(), key=operator.itemgetter(1)):
        around = [other for other in ends if other < begin <= ends[other] < end]
        for other in around:
            ends[other] = end
        if around:
            del ends[begin]
    found = []
    for begin, end in sorted(ends.items(), key=lambda item: (item[0], -item[1])):
        number = _first(at, begin)
        if instructions[number].opname == "FOR_ITER":
            found.append(_for_loop(begin, end, instructions, number))
        else:
            found.append(Loop(begin, end, is_for=instructions[number].opname == "GET_ANEXT"))
    return tuple(found)


def _first(at: dict[int, int], offset: int) -> int:
    """The number of the first instruction that is not in front of an offset, where one may have been left out."""
    return next(at[each] for each in itertools.count(offset) if each in at)


def _for_loop(begin: int, end: int, instructions: list[dis.Instruction], number: int) -> Loop:
    """A `for` loop, by the number of its first instruction."""
    before = [each for each in instructions[:number] if each.opname not in ("PRECALL", "PUSH_NULL")]
    if before and before[-1].argval == ".0":  # of a generator expression; this variable is the iterator
        return Loop(begin, end, True, distinct=True)
    while before and before[-1].opname != "GET_ITER":
        before.pop()
    of = before[:-1]
    text = of[-1].positions if of else None
    begins = [
        place
        for place, each in enumerate(of)
        if each.opname.startswith((*_VARIABLES, "LOAD_CONST")) and _same_begin(each.positions, text)
    ]
    return _over(begin, end, of[begins[-1] :]) if begins else Loop(begin, end, True)


def _over(begin: int, end: int, of: list[dis.Instruction]) -> Loop:
    """A loop over the value of these instructions."""
    if len(of) == 1 and of[0].opname == "LOAD_CONST":
        return Loop(begin, end, True, (of[0].argval,))
    called = of[0].argval if of[0].opname.startswith(_VARIABLES) else None
    if of[-1].opname == "CALL":
        if called in _DISTINCT:
            return Loop(begin, end, True, distinct=True)
        if called == "iter" and of[-1].arg == 2:  # a loop of calls, as `while` is one
            return Loop(begin, end)
        if called in _SAME and of[-1].arg == 1:
            return _over(begin, end, of[1:-1])
        if of[-1].arg == 0 and of[-2].opname in _ATTRIBUTES and of[-2].argval in _METHODS:
            return _over(begin, end, of[:-2])
    if called is not None and all(each.opname in _ATTRIBUTES for each in of[1:]):
        return Loop(begin, end, True, [each.argval for each in of])
    return Loop(begin, end, True)


def _same_begin(one: Any, other: Any) -> bool:
    if one is None or other is None or other.lineno is None or other.col_offset is None:
        return False
    return bool((one.lineno, one.col_offset) == (other.lineno, other.col_offset))
