"""What Ctrl-C does while a simulation runs: it ends it, whatever its programs catch.

Python raises `KeyboardInterrupt` in whatever runs. That may be a program that catches it, a job pool, which ends in
good order, or a callback of which exceptions are printed and forgotten: the simulation would go on, and do something
else than it does without Ctrl-C. How real time is limited belongs in `overlong`.
"""

from __future__ import annotations

import importlib
import signal
from types import FrameType, TracebackType
from typing import Any

from greenlet import getcurrent

from bsbpool.frames import outward

from .kernel import Task

# What `signal` itself calls: it looks for a name of each handler, which takes as long as a twentieth of a simulation.
_in_c: Any = importlib.import_module("_signal")
_handle, _handler_of = _in_c.signal, _in_c.getsignal


class ending_at_ctrl_c:
    """While active, Ctrl-C ends the simulation. Where somebody else handles SIGINT, or this is not the main thread,
    nothing changes. It can be nested.

    :raises KeyboardInterrupt: it was pressed.
    """

    # A class, since a generator takes longer, in each simulation.

    #: whether it was pressed as tasks were told to end: then it is raised once they have.
    pressed = False
    _installed = False

    def __enter__(self) -> None:
        if _handler_of(signal.SIGINT) is signal.default_int_handler:
            try:
                _handle(signal.SIGINT, end_simulation)
                self._installed = True
            except ValueError:  # not the main thread
                pass

    def __exit__(self, *exc: object) -> None:
        if self._installed:
            _handle(signal.SIGINT, signal.default_int_handler)
        if ending_at_ctrl_c.pressed:
            ending_at_ctrl_c.pressed = False
            raise KeyboardInterrupt


def end_simulation(number: int, frame: FrameType | None) -> None:
    """End the simulation that runs, or raise `KeyboardInterrupt` if none does; a handler of signals.

    :param number: the number of the signal.
    :param frame: what was running.
    :raises KeyboardInterrupt: unless a task of a simulation was running.
    """
    task = getcurrent()
    if not isinstance(task, Task):
        raise KeyboardInterrupt
    if task.kernel.closing:
        ending_at_ctrl_c.pressed = True
        raise KeyboardInterrupt
    task.kernel.fail(_raised_at(frame))  # does not come back, but to be ended


def _raised_at(frame: FrameType | None) -> KeyboardInterrupt:
    """Make the exception that Python would have raised there."""
    trace: Any = None
    for each in outward(frame):
        trace = TracebackType(trace, each, each.f_lasti, each.f_lineno)
    return KeyboardInterrupt().with_traceback(trace)
