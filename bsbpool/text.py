"""Text of others made safe to keep and to show: names, errors, paths, which may hold anything.

`visible` is for what is shown in whole, such as paths; `harmless` for what a trace keeps; `label` for names in tables
and pictures. None of them leaves what moves a terminal's cursor, breaks a line, or turns the direction of writing, nor
what YAML, XML and UTF-8 can't hold. Markup needs nothing: whatever shows texts takes them as text.
"""

from __future__ import annotations

import re

__all__ = ["LONGEST", "harmless", "label", "visible"]

#: Characters of a text that is kept in a trace, or shown as a name, at the most.
LONGEST = 200

# Control characters; halves of surrogate pairs, which stand for bytes of a file's name that are no text; what no text
# may hold; separators of lines; what turns the direction of writing.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """`text` on one line, with what can't be shown written out (``\\x1b``)."""
    if text.isprintable():
        return text
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def harmless(text: str) -> str:
    """`text` as a trace may hold it: `visible`, and cut at 200 characters."""
    if len(text) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    if not text.isprintable() and len(text := visible(text)) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    return text


def label(name: str) -> str:
    """A strategy's name as it is shown: without BSB's ``{root}.``, without what can't be printed, and not too long."""
    name = name.removeprefix("{root}.")
    if len(name) > LONGEST:
        name = name[: LONGEST - 1] + "…"
    return name if name.isprintable() else "".join(c if c.isprintable() else "�" for c in name)
