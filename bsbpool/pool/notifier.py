"""Dispatches notifications to listeners and to callbacks of jobs, and asks listeners whether they handle an error.

`engine` decides which changes are announced, and what counts as an error; `coordinator` decides when; `progress`
defines the notifications.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import Context
from typing import TYPE_CHECKING, Any

from ..engine.commands import Announce
from ..engine.failure import Failures
from ..errors_and_facts import describe_error
from ..values import shown
from .closed import to_nobody
from .pool_of_jobs import PoolRef
from .progress import PoolJobUpdateProgress, PoolProgress

if TYPE_CHECKING:
    from .jobs import Job

#: Seconds after which a pool pings its listeners if nothing happened and none of them asked for less.
MAX_WAIT = 60.0


class _Listener:
    """A listener, with the context variables that were set where it was added."""

    __slots__ = ("_busy", "_call", "_context")

    def __init__(self, call: Callable[[PoolProgress], Any], context: Context):
        self._call = call
        self._context = context
        self._busy = False

    def __call__(self, notification: PoolProgress) -> Any:
        if self._busy:  # it called `notify` itself, and a context can't be entered twice
            return self._context.copy().run(self._call, notification)
        self._busy = True
        try:
            return self._context.run(self._call, notification)
        finally:
            self._busy = False


class Notifier:
    """Dispatches the notifications of a pool.

    :param pool: refers to whom notifications are about.
    :param failures: says what is an error.
    :param unhandled: takes an error that nobody handled, and the job whose end it is.
    :param settle: sees to it that what was recorded outlives this process.
    :ivar line: `PoolProgress` objects, and commands to announce a change for those that nobody has asked for yet.
    :ivar listeners: who is told.
    :ivar max_wait: seconds after which they are pinged if nothing happened.
    :ivar quiet_since: when something was told last, in nanoseconds.
    """

    def __init__(
        self,
        pool: PoolRef,
        failures: Failures,
        unhandled: Callable[[Exception, Job], None],
        settle: Callable[[], None],
    ):
        self._pool = pool
        self._failures = failures
        self._unhandled = unhandled
        self._settle = settle
        self.line: deque[Any] = deque()
        self.listeners: list[Callable[[PoolProgress], Any]] = []
        self._calls: list[_Listener] = []
        self.max_wait = MAX_WAIT
        self.quiet_since = 0

    def add(self, listener: Callable[[PoolProgress], Any], max_wait: float | None, context: Context) -> None:
        """One more listener, the seconds after which it wants a ping, and the context variables it is called with."""
        self.listeners.append(listener)
        self._calls.append(_Listener(listener, context))
        if max_wait is not None:
            self.max_wait = min(self.max_wait, max_wait)

    def dissolve(self) -> None:
        """Nobody is told any more, since the pool is closed."""
        self._unhandled = to_nobody

    def deliver(self, notification: Any) -> list[BaseException]:
        """Tell all listeners, and callbacks. Returns what they raised."""
        errors: list[BaseException] = []
        returned: list[Any] = []
        job: Any = None
        if type(notification) is Announce:
            job, old, status = notification
            if self.listeners:
                pool = self._pool()
                assert pool is not None, "nobody refers to the pool any more"
                notification = PoolJobUpdateProgress(pool, job, old, status)
        if self.listeners:
            self._settle()
        for listener in self._calls[:]:
            try:
                returned.append(listener(notification))
            except BaseException as error:
                errors.append(error)
        if job is None or not status.ended:
            return errors
        callbacks, job._callbacks = job._callbacks, None
        for callback in callbacks or ():
            try:
                callback(job)
            except BaseException as error:
                errors.append(error)
        if self._failures.is_error(status, job.error):
            handled, notes = _handled(returned)
            if not handled:
                problem = self._failures.error_of(job, job.description, status, job.error)
                for note in notes:
                    problem.add_note(note)
                self._unhandled(problem, job)
        return errors


def _handled(returned: list[Any]) -> tuple[bool, list[str]]:
    """Whether one of the listeners that were told of a failure handled it: it returned a true value.

    :param returned: what they returned.
    :returns: that, and what there is to say of values that can't tell whether they are true.
    """
    notes = []
    for value in returned:
        try:
            if value:
                return True, []
        except Exception as error:
            notes.append(
                f"A listener returned {shown(value)}, of which nobody can tell whether it is true "
                f"({describe_error(error)}): it has not handled this error. Return True or False."
            )
    return False, notes


def enter(listener: Any, stack: ExitStack) -> None:
    """Enter a listener that is a context manager; it leaves with the stack."""
    if hasattr(type(listener), "__enter__") and hasattr(type(listener), "__exit__"):
        listener.__enter__()

        def leave(*exc: Any) -> bool:
            listener.__exit__(*exc)
            return False  # none of them makes an error unseen, for the others or for the program

        stack.push(leave)
