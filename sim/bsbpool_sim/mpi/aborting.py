"""Ends the simulation for a simulated rank: by `Abort`, or by an error handler that aborts."""

from __future__ import annotations

import sys
from typing import NoReturn

from bsbpool.durations import exact_duration
from bsbpool.frames import file_of, outward, users_frame

from ..errors import AbortError
from .running_rank import running_task


def abort(errorcode: int, how: str) -> NoReturn:
    """End the simulation: `simulate` raises `AbortError`.

    :param how: how the rank that runs now came to that, as a predicate: "called Abort(3)".
    """
    task = running_task()
    frame = users_frame(outward(sys._getframe(1)))
    assert frame is not None
    place = file_of(frame), frame.f_lineno, frame.f_code.co_name
    where = "at {}:{} in {}".format(*place)
    rank = task.rank.index
    text = f"rank {rank} {how} at {exact_duration(task.kernel.now)}, {where}"
    task.kernel.fail(AbortError(text, errorcode, rank, *place))
    raise AssertionError("unreachable: a task that failed the simulation is not resumed")  # pragma: no cover
