"""What a task waits for inside Python's library, in words: for reports of deadlocks."""

from __future__ import annotations

from types import FrameType

from bsbpool.frames import Whose, outward, whose

from ..kernel import Task

#: By what the program called of Python's library.
_WAITS = {
    "Event.wait": "a threading.Event to be set",
    "Semaphore.acquire": "a threading.Semaphore",
    "Barrier.wait": "the others at a threading.Barrier",
    "Queue.get": "an item of a queue",
    "Queue.put": "room in a queue",
    "Queue.join": "all items of a queue to be done",
    "Future.result": "the result of a future",
    "Future.exception": "the end of a future",
    "wait": "futures to be done",
    "as_completed": "a future to be done",
}


def waits_for(task: Task, otherwise: str) -> str:
    """Return what a task waits for inside Python's library, in words, by what its program called there."""
    called: FrameType | None = None
    for frame in outward(task.gr_frame):
        of = whose(frame)
        if of is Whose.PYTHON:
            called = frame
        elif of is not Whose.OWN:
            break
    return otherwise if called is None else _WAITS.get(called.f_code.co_qualname, otherwise)
