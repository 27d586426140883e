"""The output of `bsbpool explore`: its progress line, which scenarios have too as they run, and its findings."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from bsbpool.worlds.local import ThreadedWorld

from . import say
from .programs import in_options

if TYPE_CHECKING:
    from bsbpool_sim.exploring.exploration import Exploration
    from bsbpool_sim.exploring.findings import Finding

#: Nanoseconds between two progress lines.
_EVERY_NS = 100_000_000


def schedules_of(number: int) -> str:
    """``1 schedule``."""
    return f"{number} schedule" if number == 1 else f"{number} schedules"


class Progress:
    """A line on a terminal that is written over as something goes on."""

    def __init__(self) -> None:
        self._on = sys.stderr is not None and sys.stderr.isatty()  # None: the process has none
        self._stream = sys.stderr
        self._last = 0
        self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def show(self, so_far: Exploration) -> None:
        """Say how far it is, unless that was said a moment ago."""
        if not self._is_time():
            return
        speed = so_far.schedules / so_far.elapsed if so_far.elapsed else 0
        left = "" if so_far.left is None else f", about {so_far.left:.3g} left"
        line = (
            f"{schedules_of(so_far.schedules)}, {speed:.0f} a second, {so_far.distinct} different{left}; "
            f"findings: {len(so_far.findings)}"
        )
        self._write(line)

    def count(self, what: str, done: int, of: int) -> None:
        """Say how many of some things are done, unless that was said a moment ago."""
        if self._is_time():
            self._write(f"{done:,} of {of:,} {what}")

    def _is_time(self) -> bool:
        now = ThreadedWorld.now()
        if not self._on or now - self._last < _EVERY_NS:
            return False
        self._last = now
        return True

    def _write(self, line: str) -> None:
        self._shown = True
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()


class Report:
    """Says what was found, on the standard output unless data goes there.

    :param quiet: whether data does.
    :param indent: columns that each line is moved to the right.
    """

    def __init__(self, quiet: bool, indent: int = 0):
        self._quiet = quiet
        self._indent = indent
        self._here = os.path.join(os.getcwd(), "")

    def line(self, text: str = "", indent: int = 0) -> None:
        """A line, or several if it is long."""
        indent += self._indent
        for part in text.replace(self._here, "").splitlines() or [""]:
            for piece in textwrap.wrap(part, 120 - indent, break_long_words=False, break_on_hyphens=False) or [""]:
                say(" " * indent * bool(piece) + piece, err=self._quiet)

    def findings(self, exploration: Exploration, again: Callable[[Finding], str]) -> None:
        """All that was found, each with the command that runs it again."""
        from bsbpool_sim.exploring.kept import lines_of

        for finding in exploration.findings:
            for indent, text in lines_of(finding, again, 120 - self._indent):
                text = in_options(text)
                # What can be copied is one line; what stands side by side is laid out already.
                if text.startswith(("Again: ", "The delays, ")) or "│" in text:
                    say(f"{' ' * (self._indent + indent)}{text}", err=self._quiet)
                else:
                    self.line(text, indent)

    def flush(self) -> None:
        """Write what waits to be written, so that it is known here if that fails."""
        stream = sys.stderr if self._quiet else sys.stdout
        if stream is not None:
            stream.flush()

    def summary(self, exploration: Exploration) -> None:
        """How much was explored, and what was not."""
        self.line(str(exploration) + (" (interrupted)" if exploration.interrupted else ""))
        for limit in exploration.limits:
            self.line(f"not tried: {limit}", 2)
        if sys.flags.optimize:
            self.line("not checked: assert statements, since Python runs with -O or PYTHONOPTIMIZE", 2)


def complain(text: str) -> None:
    """Say on the standard error what can't be used."""
    for each in text.splitlines():
        say(each if each.startswith(" ") else f"bsbpool: {each}", err=True)
