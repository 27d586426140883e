"""Makes foreign text safe to keep and to show: names, errors and paths may contain anything.

`visible` is for text that is shown completely, such as paths; `harmless` for text in traces; `label` for names in
tables and pictures. They remove characters that move a terminal's cursor, break a line or change the direction of
writing, and those that YAML, XML and UTF-8 can't hold. Markup is not removed: everything that shows these texts
escapes them.
"""

from __future__ import annotations

import re

__all__ = ["LONGEST", "harmless", "label", "scrub", "visible"]

#: Maximal number of characters of a text in a trace, or of a name.
LONGEST = 200

# Control characters; halves of surrogate pairs, which stand for bytes of a file's name that are no text; what no text
# may hold; separators of lines; what turns the direction of writing.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff\u2028\u2029\u202a-\u202e\u2066-\u2069]")


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def visible(text: str) -> str:
    """`text` on one line, with what can't be shown written out (``\\x1b``)."""
    if text.isprintable():
        return text
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def harmless(text: str) -> str:
    """Return a text as a trace may contain it: `visible`, and cut at 200 characters."""
    if len(text) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    if not text.isprintable() and len(text := visible(text)) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    return text


def scrub(text: str) -> str:
    """`text` without memory addresses, on one line, with no control characters, cut at 200 characters."""
    if " at 0x" in text:
        text = _ADDRESS.sub("", text)
    return harmless(text)


def label(name: str) -> str:
    """Return the name of a strategy for display: without BSB's ``{root}.``, without unprintable characters, and cut."""
    name = name.removeprefix("{root}.")
    if len(name) > LONGEST:
        name = name[: LONGEST - 1] + "…"
    return name if name.isprintable() else "".join(c if c.isprintable() else "�" for c in name)
