"""Ending ranks that are stuck, or that are left alone: what looks from outside of the tests, in a thread or a process.

Which tests run when, and what ranks tell each other, is in `real`.
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

from bsbpool.frames import from_users

#: Seconds after which a rank whose Python can't run shows its stack all the same.
GRACE = 1.0

#: Seconds that rank 0 waits for the stacks of ranks that do not answer, since they are in C code or gone.
PATIENCE = 5.0

#: Seconds after which rank 0 counts as stuck, if none of its Python has run, or its report has taken no processor time.
STUCK = 20.0

#: Seconds between two looks for what other ranks want.
LOOK = 0.05


class Watchdog:
    """Ends the run, after each rank has shown its stacks, if a test takes longer than its limit.

    A thread does it. Where that can't run (a rank waits in C code that holds Python's lock), faulthandler's own
    thread shows the stack a little later, where a line names the rank; on rank 0 it ends the run, last of all.
    """

    def __init__(self, fd: int, late: Callable[[str, str], None], look: Callable[[], None]):
        self.rank = 0
        self.who = "a rank"
        self._fd = fd
        self._late = late
        self._look = look
        self._deadline: tuple[float, float, str] | None = None
        #: held by who ends the run, for ever: nobody else is to do so, and no other test is to begin.
        self.lock = threading.RLock()
        self._condition = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._main = threading.get_ident()
        #: what this rank has to say of itself when the time is over.
        self.status: Callable[[], str] = str

    def is_of(self, rank: int, size: int) -> None:
        """Say whose it is, once MPI has started."""
        self.rank, self.who = rank, f"rank {rank} of {size}"

    def arm(self, seconds: float, what: str) -> None:
        """From now on `what` may take `seconds`."""
        first = self.rank == 0
        faulthandler.dump_traceback_later(seconds + (STUCK if first else GRACE), exit=first, file=self._fd)
        with self._condition:
            self._deadline = monotonic() + seconds, seconds, what
            self._condition.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="limits of tests on ranks", daemon=True)
            self._thread.start()

    def disarm(self) -> None:
        """It has ended. Does not return once the run is being ended."""
        with self._condition:
            self._deadline = None
            faulthandler.cancel_dump_traceback_later()

    def stop(self) -> None:
        """Watch no longer."""
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
        """Show this rank's stacks, and end the run, because of a limit.

        :param why: what another rank said of its limit; of no use where this one has a limit itself.
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
        """Write lines past all capturing, each under this rank's number, at once."""
        text = "".join(f"[{self.who}] {line}".rstrip() + "\n" for line in lines)
        os.write(self._fd, text.encode(errors="replace"))

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
    """Bytes that were written to a pipe and wait for a reader who is still there; 0 for other kinds of files."""
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
    """Wait until all that was written to these pipes was read; other kinds of files are left alone.

    A launcher gives out what it has read, in order; what it has not when a rank ends all of them, it may drop. It reads
    when whoever reads its own output does, which may be long after.
    """
    for file in files:
        while unread(file):
            sleep(1e-3)


class Guard:
    """Ends this process if its report gets stuck: it waits for a lock that another thread holds, for example.

    There is no limit to what a report may take, on a busy machine or while nobody reads it. It is stuck when its thread
    takes no time of a processor though nothing waits to be read. If C code holds Python's lock, so that this thread
    does not run either, faulthandler's ends the process.
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
