"""The two programs in each file of `faulty`: the faulty one, and its right twin; and what has to be found where.

A line that ends with ``# -`` is in the faulty program only, one with ``# +`` in the right one only. Behind ``# -``, or
behind ``# =`` in a line of both, stand the kinds of finding of which one has to be found, at such a line. A line that a
program does not have is empty in it, so that both have the same numbers of lines.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "faulty"
_MARK = re.compile(r"  # ([-+=])(?: ([a-z, -]+))?$")
_HEAD = re.compile(r"^# (\d+) ranks; MPICH (.+)$", re.MULTILINE)


class Pair(NamedTuple):
    """A faulty program and its right twin.

    :ivar name: its category and what it is about, such as ``buffering/ring_of_sends``.
    :ivar mpich: what the faulty program does under MPICH: hangs, crashes, raises an error, or says nothing.
    :ivar expected: by kind of finding, the lines at which it may be found.
    """

    name: str
    ranks: int
    mpich: str
    faulty: str
    right: str
    expected: dict[str, list[int]]


def read(path: Path) -> Pair:
    """The two programs of a file."""
    text = path.read_text()
    faulty, right, expected = [], [], {}
    for number, line in enumerate(text.splitlines(), 1):
        mark = _MARK.search(line)
        code, sign, kinds = (line[: mark.start()], *mark.groups()) if mark else (line, "", None)
        faulty.append("" if sign == "+" else code)
        right.append("" if sign == "-" else code)
        for kind in kinds.split(", ") if kinds else ():
            expected.setdefault(kind, []).append(number)
    ranks, mpich = _HEAD.search(text).groups()
    name = path.relative_to(FOLDER).with_suffix("").as_posix()
    return Pair(name, int(ranks), mpich, "\n".join(faulty) + "\n", "\n".join(right) + "\n", expected)


#: All of them, in the order of their names.
PAIRS = [read(path) for path in sorted(FOLDER.glob("*/*.py"))]
