"""Describes syntax errors of a scenario file: what is wrong, and what would be right.

The parser knows where it stopped; its own messages are about tokens. Reading files belongs to `loading`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

_QUOTES = "a text that holds ': ' goes in quotes, such as 'ValueError: text'"


def explain(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[tuple[int, int], str]:
    """Return the place of the mistake (line and column, from 1), and its description.

    :param error: the error of the pure Python parser.
    :param lines: the lines of the file.
    """
    mark: Any = error.problem_mark or error.context_mark
    problem, context = str(error.problem or ""), str(error.context or "")
    place, start = _place(mark), _place(error.context_mark or mark)
    line = lines[mark.line] if mark.line < len(lines) else ""
    found = line[mark.column : mark.column + 1]

    if problem.startswith("mapping values are not allowed"):
        if re.search(r":\s", line[: mark.column]):
            return place, f"a second colon on this line: {_QUOTES}"
        return (place[0], len(line) - len(line.lstrip(" ")) + 1), (
            "the indentation does not fit: this line is further to the right than the one before, which is complete "
            "already; begin the keys of one mapping in the same column"
        )
    if problem.startswith("expected <block end>"):
        what, entries = ("list", "entries") if "collection" in context else ("mapping", "keys")
        if line[mark.column :].startswith("- ") and what == "mapping":
            return place, (
                f"a list entry stands among the keys of the mapping that begins on line {start[0]}: each line of that "
                "is 'key: value', and the entries of one list begin in the same column"
            )
        if place[1] == start[1]:
            right = "'- ' begins each entry of it" if what == "list" else "each of its lines is 'key: value'"
            return place, f"this does not belong to the {what} that begins on line {start[0]}: {right}"
        return place, (
            f"the indentation does not fit: this begins in column {place[1]}, and the {what} that begins on line "
            f"{start[0]} in column {start[1]}; begin the {entries} of one {what} in the same column"
        )
    if problem.startswith("could not find expected ':'"):
        return start, "this line has no colon: a line of a mapping is 'key: value'; a longer text goes in quotes"
    if problem.startswith("expected ',' or"):
        what, closing = ("list", "]") if "']'" in problem else ("mapping", "}")
        if found == ":" and (place[0] == start[0] or re.search(r":\s", line[: mark.column])):
            return place, f"a colon where a comma or {closing} belongs: {_QUOTES}"
        opened = f"the {what} that opens on line {start[0]} in column {start[1]}"
        return place, f"{opened} is not closed, or a comma is missing before this: write {closing}, or the comma"
    if "while scanning a quoted scalar" in context:
        return start, "the quote that opens here is never closed: end the text with the same quote"
    if "while scanning a double-quoted scalar" in context:
        return place, "a backslash in double quotes begins an escape, and this is none: write two, or use single quotes"
    if "cannot start any token" in problem:
        if found == "\t":
            return place, "a tab indents this: indent with blanks"
        return place, f"a text can't begin with {found}: put it in quotes"
    if "while scanning an alias" in context or "while scanning an anchor" in context:
        return place, "a text that begins with * or & goes in quotes, such as '*'"
    if "expected the node content" in problem:
        return place, "a value is missing here: write it, or leave the comma out"
    if "are not allowed here" in problem:
        return place, "a list or mapping can't begin within a line: put it below its key, or into [ ] or { }"
    if "while scanning a block scalar" in context:
        return place, "behind | or > nothing else stands on the line: the text begins on the next one"
    if "<document start>" in problem:
        return place, (
            "this does not belong to what stands before it: begin the keys of one mapping in the same column, and "
            "write one mapping a file"
        )
    if "directive" in context or "directive" in problem:
        return place, "a text that begins with % goes in quotes"
    if "tag" in context or "tag" in problem:
        return place, "a text that begins with ! goes in quotes"
    return (
        place,
        "it can't be read from here on: look at indentation, quotes and brackets of this line and the last one",
    )


def _place(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


__all__ = ["explain"]
