"""Closes the pseudo-terminal of a rank that has finished writing."""

from __future__ import annotations

import contextlib
import os
from time import sleep  # bound early: a test may replace them


def leave_terminal(file: int) -> None:
    """Close the pseudo-terminal to which Open MPI connected this rank's output; wait until Open MPI has read all of it.

    There is no way to ask how much was read. But once no process has it open for writing, Open MPI reads to its end and
    closes it, and its name disappears. If other processes have it open, there is no end to wait for.
    """
    if "OMPI_COMM_WORLD_RANK" not in os.environ or not os.isatty(file) or not os.path.exists("/proc/self/fd"):
        return
    device, name = os.fstat(file).st_rdev, os.ttyname(file)
    null = os.open(os.devnull, os.O_RDWR)
    for own in _opened("self", device):
        os.dup2(null, own)
    others = [pid for pid in os.listdir("/proc") if pid.isdecimal() and _opened(pid, device)]
    while not others and os.path.exists(name):
        sleep(1e-3)


def _opened(process: str, device: int) -> list[int]:
    """Return the file descriptors of a process that refer to this terminal."""
    found = []
    with contextlib.suppress(OSError):  # the process has ended, or belongs to another user
        for name in os.listdir(f"/proc/{process}/fd"):
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{process}/fd/{name}").st_rdev == device:
                    found.append(int(name))
    return found
