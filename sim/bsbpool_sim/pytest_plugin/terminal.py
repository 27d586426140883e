"""The terminal of a rank that is not to write to it."""

from __future__ import annotations

import contextlib
import os
from time import sleep  # bound early: a test may replace them


def leave_terminal(file: int) -> None:
    """Close the terminal that Open MPI gave this rank to print to, and wait until Open MPI has closed it too.

    Nothing says how much of it was read. But once nobody has it open for writing, Open MPI reads it to its end, closes
    it, and its name is gone. Other processes that have it open may live for ever: then there is nothing to wait for.
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
    """The files of a process that are this terminal."""
    found = []
    with contextlib.suppress(OSError):  # it has ended, or is somebody else's
        for name in os.listdir(f"/proc/{process}/fd"):
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{process}/fd/{name}").st_rdev == device:
                    found.append(int(name))
    return found
