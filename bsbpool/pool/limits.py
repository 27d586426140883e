"""Ends jobs that exceed their time limit, on the rank that runs them, and reports where they were.

How code is interrupted belongs in the world; main decides the status of the job.

A separate task, the *timekeeper*, sleeps until the limit of the running job. It is woken only if it sleeps for longer
than that: short jobs with equal limits wake it once per limit, not once per job.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any

from ..engine.limits import GRACE
from ..frames import file_of, is_own, users_frame
from ..tracebacks import FrameParts, frames_of_stack
from ..worlds import Interruptible, Mailbox, Role, World

_START, _END = "start", "end"

#: Where a job was: its place and its stack, as texts, and its frames.
StackPlace = tuple[str, str, list[FrameParts]]


class LimitReached(BaseException):
    """A job was interrupted at its limit, and has ended.

    :ivar place: where it was, in a few words.
    :ivar stack: its stack then.
    :ivar frames: its frames then, as data.
    """

    def __init__(self, place: str, stack: str, frames: Sequence[FrameParts] = ()):
        self.place = place
        self.stack = stack
        self.frames = [*frames]


class _Run:
    """A job that runs under a limit."""

    def __init__(self, job: int, part: Interruptible, deadline: int):
        self.job = job
        self.part = part
        #: when there is something to do next; None: never again.
        self.next: int | None = deadline
        self.was: StackPlace | None = None


class Limits:
    """Keeps the limits of one rank, which runs one job at a time.

    :param tell_stuck: called if a job runs on after it was interrupted, by the timekeeper, with the job and a function
        that gives its place and stack if it still runs.
    """

    def __init__(self, world: World, tell_stuck: Callable[[int, Callable[[], StackPlace | None]], None]):
        self._world = world
        self._tell_stuck = tell_stuck
        self._running: _Run | None = None
        self._calls: Mailbox | None = None
        # Until when the timekeeper sleeps; None if it has to be called.
        self._asleep_until: int | None = None

    def run(self, job: int, limit: int, function: Callable[[], Any]) -> Any:
        """Call the function, and interrupt it after `limit` nanoseconds.

        :raises LimitReached: it was interrupted, whatever it made of that.
        """
        world = self._world
        if self._calls is None:
            self._calls = world.mailbox()
            world.start(Role.TIMEKEEPER, self._keep_time, self._calls)
        part = world.interruptible()
        run = self._running = _Run(job, part, world.now() + limit)
        asleep_until = self._asleep_until
        assert run.next is not None
        if asleep_until is None or run.next < asleep_until:
            self._calls.put(_START)
        try:
            result = part.run(function)
        finally:
            self._running = None
            if run.was is not None and part.interrupted:
                raise LimitReached(*run.was) from None
        return result

    def close(self) -> None:
        """No more jobs come."""
        if self._calls is not None:
            self._calls.put(_END)

    def _keep_time(self, calls: Mailbox) -> None:
        """The timekeeper."""
        while True:
            # In this order: a job that starts meanwhile finds that it has to call, or is found here.
            self._asleep_until = None
            run = self._running
            self._asleep_until = until = run.next if run is not None else None
            call = calls.get(until)
            if call == _END:
                return
            if run is None or self._running is not run or until is None or self._world.now() < until:
                continue
            if run.was is None:
                run.was = self._where(run)
                run.next = until + GRACE
                run.part.interrupt()
            else:
                run.next = None
                self._tell_stuck(run.job, lambda run=run: self._where(run) if self._running is run else None)  # type: ignore[misc]

    @staticmethod
    def _where(run: _Run) -> StackPlace:
        return where(run.part.frame(), run.part.code)


def where(frame: FrameType | None, beyond: CodeType) -> StackPlace:
    """The place of a stack's innermost function, in words, and the stack, as Python prints them, and as data.

    :param beyond: the code of the function up to which it is not the job's.
    """
    frames: list[FrameType] = []
    while frame is not None and frame.f_code is not beyond:
        frames.append(frame)
        frame = frame.f_back
    if frame is None:
        frames = []  # it has ended meanwhile
    while frames and is_own(frames[-1]):
        frames.pop()
    while frames and is_own(frames[0]):
        frames.pop(0)
    inner = users_frame(frames)
    if inner is None:
        return "", "", []
    place = f"{inner.f_code.co_name}, line {inner.f_lineno} of {os.path.basename(file_of(inner))}"
    shown = [traceback.FrameSummary(file_of(f), f.f_lineno, f.f_code.co_name) for f in frames[19::-1]]
    return place, "".join(traceback.StackSummary.from_list(shown).format()).rstrip(), frames_of_stack(frames)
