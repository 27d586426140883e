"""The standard streams of a command that runs programs: they are there when a program has closed them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: The file descriptors of the standard output and the standard error.
_OURS = (1, 2)


@contextmanager
def kept_open() -> Iterator[None]:
    """Keep the standard streams of the process open for its own report, whatever is closed meanwhile.

    Simulated ranks are one process: a rank that calls ``os.close(1)`` closes what all of them, and the command, have.
    """
    kept: dict[int, int] = {}
    for number in _OURS:
        with suppress(OSError):  # it was closed before
            kept[number] = os.dup(number)
    try:
        yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
