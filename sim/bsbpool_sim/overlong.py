"""Limits of real time: calls a function once something has taken too long, in the middle of whatever code runs then.

This takes a timer of the process and its signal, which Python handles in the main thread, also in a loop that never
waits. Where there is none (on Windows, or in another thread), only `look` finds that time is up.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, Self

from bsbpool.worlds.local import ThreadedWorld

#: Seconds after which the function is called again, if what took too long has not ended: it may catch what is raised.
AGAIN = 1.0

_SECOND_NS = 1_000_000_000

# Bound early: a simulated rank must not set any, and this may run on one. Windows has none.
_set_timer: Any = getattr(signal, "setitimer", None)
_get_timer: Any = getattr(signal, "getitimer", None)
_handle, _handler_of, _raise_signal = signal.signal, signal.getsignal, signal.raise_signal


class time_limit:
    """Context that calls a function if it has not ended in time, and then each second until it has.

    It can be nested, and keeps what else the process has the timer for: that comes in its time.

    :param seconds: of real time.
    :param on_time_up: is called in the main thread, in whatever code runs then, and may raise.
    """

    # A class, and no generator: what the function raises must not end that before the timer is given back.

    def __init__(self, seconds: float, on_time_up: Callable[[], object]):
        self._left = seconds
        self._on_time_up = on_time_up
        self._until: int | None = None
        self._rings = False

    def __enter__(self) -> Self:
        self._handler: Any = None if _set_timer is None else _handler_of(signal.SIGALRM)
        try:
            if self._handler is not None:  # else it was not installed by Python, and could not be given back
                _handle(signal.SIGALRM, self._ring)
                self._rings = True
        except ValueError:  # not the main thread
            pass
        if self._rings:
            #: seconds until somebody else's timer rings, and then again and again; 0: never.
            self._other, self._others_interval = _set_timer(signal.ITIMER_REAL, 0)
            self._start()
        else:
            self._until = ThreadedWorld.now() + round(self._left * _SECOND_NS)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._rings:
            try:
                self._give_back()
            except BaseException:  # time was up meanwhile
                self._give_back()
                raise

    def look(self) -> None:
        """Call the function if time is up and no signal says so. Whoever can calls this now and then."""
        if self._until is not None and ThreadedWorld.now() >= self._until:
            self._until = ThreadedWorld.now() + round(AGAIN * _SECOND_NS)
            self._on_time_up()

    def _start(self) -> None:
        self._set_for = max(min(self._left, self._other or self._left), 1e-6)
        # The interval only matters if what is called here raises before the timer is set again.
        _set_timer(signal.ITIMER_REAL, self._set_for, AGAIN)

    def _passed(self, seconds: float) -> None:
        self._left = max(self._left - seconds, 0)
        if self._other:
            self._other = max(self._other - seconds, 1e-6)

    def _ring(self, number: int, frame: Any) -> None:
        self._passed(self._set_for)
        mine, others = self._left < 1e-5, 0 < self._other < 1e-5
        if mine:
            self._left = AGAIN
        if others:
            self._other = self._others_interval
        self._start()
        if others:
            self._ring_other(number, frame)
        if mine:
            self._on_time_up()

    def _ring_other(self, number: int, frame: Any) -> None:
        if callable(self._handler):
            self._handler(number, frame)
        elif self._handler == signal.SIG_DFL:
            _handle(signal.SIGALRM, signal.SIG_DFL)
            _raise_signal(signal.SIGALRM)

    def _give_back(self) -> None:
        if self._other:
            self._passed(self._set_for - min(_get_timer(signal.ITIMER_REAL)[0], self._set_for))
        _set_timer(signal.ITIMER_REAL, 0)
        _handle(signal.SIGALRM, self._handler)
        if self._other:
            _set_timer(signal.ITIMER_REAL, self._other, self._others_interval)
