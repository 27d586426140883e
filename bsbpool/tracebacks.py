"""Where an error was raised, as data: the frames of its traceback, of its causes, and of the members of a group.

The data is bounded, and consists of texts and numbers, so that it can be sent with the error, which loses its traceback
when it is packed. Showing and recording it do not belong here.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from .errors_and_facts import describe_error, facts_of
from .facts import Error
from .frames import Whose, file_of, whose

#: Errors that are told of (causes and members), frames of each, the innermost, and characters of a file's path.
MOST_ERRORS, MOST_FRAMES, LONGEST_PATH = 8, 20, 200

#: Frames that are looked at, to find those.
_LOOK_AT = 60

_BESIDE = "_bsbpool_raised"

#: A frame: file, line, function. An error: how it belongs to the one before ("raised", "cause", "context", "member"),
#: the error itself, and its frames, outermost first.
FrameParts = tuple[str, int, str]
RaisedErrors = list[tuple[str, Error, list[FrameParts]]]


def raised(error: BaseException) -> RaisedErrors:
    """Where an error was raised, with its causes and members; the error comes first. Empty if nobody knows.

    What errors say, `bsbpool.errors_and_facts.facts_of` gives.
    """
    try:
        beside: RaisedErrors | None = vars(error).get(_BESIDE)
        return _gathered(error) if beside is None else beside
    except Exception:  # a class of the user's may do anything when it is asked for an attribute
        return []


def describe_with_causes(error: BaseException) -> str:
    """The error's type and message, and those of the errors that it was raised from, outermost first."""
    chain: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and len(chain) < MOST_ERRORS and not any(each is other for other in chain):
        chain.append(each)
        each = each.__cause__
    return ", because of ".join(describe_error(each) or "" for each in chain)


def _gathered(error: BaseException) -> RaisedErrors:
    found: RaisedErrors = []
    seen: set[int] = set()
    line: deque[tuple[str, BaseException]] = deque([("raised", error)])
    while line and len(found) < MOST_ERRORS:
        how, each = line.popleft()
        if id(each) in seen:  # they are alive as long as `error` is
            continue
        seen.add(id(each))
        if (facts := facts_of(each)) is not None:
            found.append((how, facts, frames_of(each.__traceback__)))
        if each.__cause__ is not None:
            line.append(("cause", each.__cause__))
        elif each.__context__ is not None and not each.__suppress_context__:
            line.append(("context", each.__context__))
        if isinstance(each, BaseExceptionGroup):
            line.extend(("member", member) for member in each.exceptions[:MOST_ERRORS])
    return found if any(frames for _, _, frames in found) else []


def remember(error: BaseException, where: RaisedErrors) -> None:
    """Keep with an error that came from elsewhere where it was raised there."""
    with suppress(Exception):  # of a class that takes no attributes
        setattr(error, _BESIDE, where)


def frames_of(trace: TracebackType | None) -> list[FrameParts]:
    """The frames of a traceback that are not this project's or a tool's, outermost first."""
    last: deque[tuple[FrameType, int]] = deque(maxlen=_LOOK_AT)
    while trace is not None:
        last.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return _frames([*last])


def frames_of_stack(frames: list[FrameType]) -> list[FrameParts]:
    """The same of frames of a stack, the innermost first."""
    return _frames([(frame, frame.f_lineno) for frame in frames[_LOOK_AT - 1 :: -1]])


def _frames(frames: list[tuple[FrameType, int]]) -> list[FrameParts]:
    found: list[Any] = []
    for frame, line in reversed(frames):
        if len(found) == MOST_FRAMES:
            break
        if whose(frame) in (Whose.USER, Whose.PYTHON):
            file, function = file_of(frame), frame.f_code.co_qualname
            if len(file) > LONGEST_PATH:
                file = "…" + file[1 - LONGEST_PATH :]
            if len(function) > LONGEST_PATH:
                function = "…" + function[1 - LONGEST_PATH :]
            found.append((file, line or 0, function))
    return found[::-1]
