"""Ends a run whose ranks are stuck: watches them from a thread beside the tests.

The order of tests and the messages between ranks are in `real`.
"""

from __future__ import annotations

import faulthandler
import functools
import os
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from time import monotonic, sleep  # bound early: a test may replace them
from types import FrameType

from bsbpool.frames import from_users

#: Seconds after the limit after which faulthandler prints the stack of a rank whose Python threads can't run.
GRACE = 1.0

#: Seconds that rank 0 waits for the stacks of ranks that do not answer: they may be in C code, or gone.
PATIENCE = 5.0

#: Seconds after which rank 0 counts as stuck: no Python thread of it ran, or its report used no processor time.
STUCK = 20.0

#: Seconds between two polls for messages of other ranks.
LOOK = 0.05


class Watchdog:
    """Ends the run if a test exceeds its limit, after each rank has printed its stacks.

    A thread watches the limit. If it can't run, because C code holds the GIL, faulthandler's thread prints the stack
    a little later, after a line that names the rank; on rank 0 it then ends the run.
    """

    def __init__(self, fd: int, late: Callable[[str, str], None], look: Callable[[], None]):
        self.rank = 0
        self.who = "a rank"
        self._fd = fd
        self._late = late
        self._look = look
        self._deadline: tuple[float, float, str] | None = None
        #: acquired for good by the thread that ends the run, so that no other thread does, and no test begins.
        self.lock = threading.RLock()
        self._condition = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._main = threading.get_ident()
        #: returns what this rank reports about itself when the limit is exceeded.
        self.status: Callable[[], str] = str

    def is_of(self, rank: int, size: int) -> None:
        """Set the rank, once MPI is initialised."""
        self.rank, self.who = rank, f"rank {rank} of {size}"

    def arm(self, seconds: float, what: str) -> None:
        """Start the limit of an operation: `what` may take `seconds`."""
        first = self.rank == 0
        faulthandler.dump_traceback_later(seconds + (STUCK if first else GRACE), exit=first, file=self._fd)
        with self._condition:
            self._deadline = monotonic() + seconds, seconds, what
            self._condition.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="limits of tests on ranks", daemon=True)
            self._thread.start()

    def disarm(self) -> None:
        """Cancel the limit. Does not return if the run is being ended."""
        with self._condition:
            self._deadline = None
            faulthandler.cancel_dump_traceback_later()

    def stop(self) -> None:
        """Stop the thread."""
        with self._condition:
            self._stopped = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        with self._condition:
            while not self._stopped:
                left = LOOK if self._deadline is None else self._deadline[0] - monotonic()
                if left <= 0:
                    self.show()
                else:
                    self._condition.wait(min(left, LOOK))
                    if not self._stopped:
                        self._look()

    def show(self, why: str = "") -> None:
        """Print this rank's stacks and end the run because a limit was exceeded.

        :param why: the reason that another rank gave; ignored if this rank has a limit of its own.
        """
        what = "the run"
        if self._deadline is not None:
            _, seconds, what = self._deadline
            why = f"took longer than its limit of {seconds:g} s"
        self.write([f"{what} {why}", *self._stacks(), *self.status().splitlines()])
        if self.rank:
            faulthandler.cancel_dump_traceback_later()
        self._late(what, why)

    def write(self, lines: list[str]) -> None:
        """Write lines with the rank's number to the real standard error, bypassing capture, in one system call."""
        text = "".join(f"[{self.who}] {line}".rstrip() + "\n" for line in lines)
        os.write(self._fd, text.encode(errors="replace"))

    def frame(self) -> FrameType | None:
        """Return where the main thread is."""
        return sys._current_frames().get(self._main)

    def _stacks(self) -> list[str]:
        lines = []
        for thread, frame in sys._current_frames().items():
            if thread == threading.get_ident():
                continue
            stack = from_users(frame)
            if not stack:
                continue
            lines.append("its stack:" if thread == self._main else "another thread's:")
            lines += "".join(traceback.StackSummary.extract((f, f.f_lineno) for f in stack).format()).splitlines()
        return lines


def unread(file: int) -> int:
    """Return the number of unread bytes of a pipe whose reader is still open; 0 for other files."""
    if not stat.S_ISFIFO(os.fstat(file).st_mode):
        return 0
    import fcntl  # Windows has none of these
    import select
    import termios

    poll = select.poll()
    poll.register(file, 0)
    if poll.poll(0):  # its reader is gone
        return 0
    return int.from_bytes(fcntl.ioctl(file, termios.FIONREAD, bytes(4)), sys.byteorder)


def wait_for_reader(files: Iterable[int]) -> None:
    """Wait until these pipes are empty; other files are ignored.

    A launcher forwards what it has read. It may drop the rest when a rank ends the run. It reads only as fast as its
    own output is read, which may take long.
    """
    for file in files:
        while unread(file):
            sleep(1e-3)


class Guard:
    """Ends this process if its report is stuck, for example on a lock that another thread holds.

    A report has no time limit: the machine may be busy, or nobody may read the output. It counts as stuck if its thread
    uses no processor time although no output is unread. If C code holds the GIL, so that the guard's thread can't run
    either, faulthandler ends the process.
    """

    def __init__(self, status: int, files: list[int], fd: int):
        self._status, self._files, self._fd = status, files, fd
        self._spent: Callable[[], float] = time.process_time
        if hasattr(time, "pthread_getcpuclockid"):  # not on macOS and Windows
            self._spent = functools.partial(time.clock_gettime, time.pthread_getcpuclockid(threading.get_ident()))
        threading.Thread(target=self._watch, name="end of a run on ranks", daemon=True).start()

    def _watch(self) -> None:
        spent, since = -1.0, monotonic()
        while True:
            faulthandler.dump_traceback_later(STUCK, exit=True, file=self._fd)
            now = self._spent()
            if now != spent or any(map(unread, self._files)):
                spent, since = now, monotonic()
            elif monotonic() - since > STUCK:
                faulthandler.dump_traceback(self._fd)
                os._exit(self._status)
            sleep(min(1.0, STUCK / 4))
