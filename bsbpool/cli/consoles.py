"""The terminal, pipe or file that commands print tables, timelines and prose to, and how much room there is in it."""

from __future__ import annotations

import re
import sys
from typing import IO, Any, cast

from rich.console import Console

from bsbpool.worlds.terminal_width import environment_of_consoles

#: Columns of a pipe or a file, in which nothing has to be cut; and of what is as wide as there is room, there.
_UNCUT, _OF_A_PICTURE = 1_000, 100

_BLANKS = re.compile(" +$", re.MULTILINE)


class _Trimmed:
    """A stream in which no line ends in blanks."""

    def __init__(self, stream: IO[str]):
        self._stream = stream

    def write(self, text: str) -> int:
        """Write whole lines."""
        return self._stream.write(_BLANKS.sub("", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_console() -> Console:
    """Return the console of the standard output."""
    environ = environment_of_consoles()
    out = Console(highlight=False, markup=False, emoji=False, _environ=environ)
    if out.is_terminal or sys.stdout is None:
        return out
    width = None if "COLUMNS" in environ else _UNCUT
    file = cast(IO[str], _Trimmed(sys.stdout))
    return Console(highlight=False, markup=False, emoji=False, _environ=environ, file=file, width=width)


def room(out: Console) -> int:
    """Return how many columns something takes there that takes all the room that there is, such as a timeline."""
    return _OF_A_PICTURE if out.width == _UNCUT else out.width
