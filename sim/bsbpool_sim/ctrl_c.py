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
from bsbpool.values import add_note

from .kernel import Kernel, Task

#: Tasks of which it is said where they are.
MOST_LINES = 16

_NEVER = 1 << 80  # nanoseconds: later than any horizon

# What `signal` itself calls: it looks for a name of each handler, which takes as long as a twentieth of a simulation.
_in_c: Any = importlib.import_module("_signal")
_handle, _handler_of = _in_c.signal, _in_c.getsignal


class ending_at_ctrl_c:
    """While active, Ctrl-C ends the simulation. Where somebody else handles SIGINT, or this is not the main thread,
    nothing changes.

    What makes a simulation ready, and what clears up after it, is not interrupted: it would be left half done.

    :param kernel: that of the simulation.
    :raises KeyboardInterrupt: it was pressed.
    """

    # A class, since a generator takes longer, in each simulation.

    #: the kernel of the simulation for which a handler is installed; None: there is none.
    running: Kernel | None = None
    #: whether it was pressed meanwhile.
    pressed = False

    def __init__(self, kernel: Kernel):
        self._kernel = kernel
        self._installed = False

    def __enter__(self) -> None:
        if _handler_of(signal.SIGINT) is signal.default_int_handler:
            try:
                _handle(signal.SIGINT, end_simulation)
            except ValueError:  # not the main thread
                return
            self._installed, ending_at_ctrl_c.running = True, self._kernel

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not self._installed:
            return
        ending_at_ctrl_c.running = None
        _handle(signal.SIGINT, signal.default_int_handler)
        pressed, ending_at_ctrl_c.pressed = ending_at_ctrl_c.pressed, False
        for rank in self._kernel.ranks if pressed else ():
            rank.paused_until = min(rank.paused_until, self._kernel.now)  # others may run there, as fixtures do
        if pressed and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt


def end_simulation(number: int, frame: FrameType | None) -> None:
    """End the simulation that runs, or raise `KeyboardInterrupt` if none does; a handler of signals.

    :param number: the number of the signal.
    :param frame: what was running.
    :raises KeyboardInterrupt: no simulation runs, or one whose tasks are told to end.
    """
    task, kernel = getcurrent(), ending_at_ctrl_c.running
    if isinstance(task, Task):
        if not task.kernel.closing:
            task.kernel.fail(_raised_at(frame, task.kernel, task))  # does not come back, but to be ended
        ending_at_ctrl_c.pressed = True
    elif kernel is not None and not ending_at_ctrl_c.pressed:  # the second time it ends what does not end
        ending_at_ctrl_c.pressed = True
        kernel.fail(_raised_at(frame, kernel))
        for rank in kernel.ranks:  # no task goes on: it might do so for ever
            rank.paused_until = _NEVER
        return
    raise KeyboardInterrupt


def _raised_at(frame: FrameType | None, kernel: Kernel, running: Task | None = None) -> KeyboardInterrupt:
    """Make the exception that Python would have raised there, with a note of where each rank is."""
    trace: Any = None
    for each in outward(frame):
        trace = TracebackType(trace, each, each.f_lasti, each.f_lineno)
    error = KeyboardInterrupt().with_traceback(trace)
    if ranks := kernel.report(MOST_LINES, running):
        add_note(error, ranks)
    return error
