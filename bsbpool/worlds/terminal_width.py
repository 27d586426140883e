"""The variable ``COLUMNS``, by which the environment says how wide a terminal is, as something that can be drawn in."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["environment_of_consoles"]

#: Columns that a table is drawn in at the least, and at the most.
_LEAST, _MOST = 40, 10_000


def environment_of_consoles(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a `rich.console.Console`: rich prints nothing at all with ``COLUMNS=0``.

    What is no number above 0 counts as not set, as for Python and the shell; a few columns count as 40.
    """
    made = dict(os.environ if environ is None else environ)
    text = made.pop("COLUMNS", "")
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text):
        made["COLUMNS"] = str(min(max(int(text), _LEAST), _MOST))
    return made
