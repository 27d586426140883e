"""Finds the place where a task is: the line of the user's code, and the function that it calls there. The kernel knows
why it waits.
"""

from __future__ import annotations

import dis
import os
from types import FrameType
from typing import NamedTuple

from bsbpool.frames import file_of, is_own, outward, users_frame

#: The folder of what programs know as MPI.
_MPI = os.path.join(os.path.dirname(__file__), "mpi", "")


_RAISE = dis.opmap["RAISE_VARARGS"]


class Place(NamedTuple):
    """A line of code.

    :ivar file: the file of the innermost line of the user's code; "" if nothing has started.
    :ivar line: that line; 0 if nothing has started.
    :ivar function: the function that it is in.
    :ivar call: the function of this project that it calls, such as "recv"; "" if it calls none.
    """

    file: str
    line: int
    function: str
    call: str

    @property
    def where(self) -> str:
        """File, line and function."""
        return f"{self.file}:{self.line} in {self.function}" if self.function else "not started"


def place_of(frame: FrameType | None) -> Place:
    """Return the innermost line of the user's code (else of any code) in a stack, given its innermost frame."""
    frames = [*outward(frame)]
    found = users_frame(frames)
    if found is None:
        return Place("", 0, "", "")
    place = frames.index(found)
    inner = frames[place - 1] if place else None
    call = inner.f_code.co_name if inner is not None and is_own(inner) else ""
    return Place(file_of(found), found.f_lineno, found.f_code.co_name, call)


class OwnEnd(NamedTuple):
    """How a rank has ended itself, without an exception.

    :ivar status: the exit status that its process has.
    :ivar place: where it called what ended it.
    """

    status: int
    place: Place


def is_ctrl_c(error: BaseException) -> bool:
    """Whether an exception is that of Ctrl-C, which is raised at any place, and not by a `raise` in the user's code."""
    return isinstance(error, KeyboardInterrupt) and not _by_a_statement(error)


def _by_a_statement(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or is_own(trace.tb_frame):
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == _RAISE


def raised_by(error: BaseException) -> str:
    """Return the function of MPI that raised an exception in the user's call, such as ``"Win.Put"``; "" if none did."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    if not frames or not frames[-1].f_code.co_filename.startswith(_MPI):
        return ""
    call = frames.pop()
    while frames and frames[-1].f_code.co_filename.startswith(_MPI):
        call = frames.pop()
    return call.f_code.co_qualname
