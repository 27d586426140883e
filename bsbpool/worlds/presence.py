"""Whether another process of the same machine is still there: launchers do not always notice that a rank has ended.

What follows from that belongs to those who ask.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from pathlib import Path
from typing import NamedTuple


class ProcessIdentity(NamedTuple):
    """What other processes of its machine know a process by.

    :ivar machine: what tells this start of the machine from all others.
    :ivar namespace: the namespace in which its number counts: containers have their own.
    :ivar number: its number.
    """

    machine: str
    namespace: int
    number: int


def this_process() -> ProcessIdentity | None:
    """Return this process; None on a system that does not say what has to be known."""
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return ProcessIdentity(machine, os.stat("/proc/self/ns/pid").st_ino, os.getpid())
    except OSError:
        return None


class Presence:
    """Watches a process, if it is on this machine and in the same container.

    :param other: the process; None: an unknown one.
    """

    def __init__(self, other: ProcessIdentity | None = None):
        self._fd: int | None = None
        here = this_process()
        if sys.platform == "linux" and other is not None and here is not None and other[:2] == here[:2]:
            with contextlib.suppress(OSError):  # it may be gone, or this kernel too old
                self._fd = os.pidfd_open(other.number)

    @property
    def gone(self) -> bool:
        """Whether it has ended; False if that is not known."""
        fd = self._fd
        if fd is None:
            return False
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(0))

    def stop(self) -> None:
        """Watch it no longer. Its file stays open, since another thread may look at it now."""
        self._fd = None
