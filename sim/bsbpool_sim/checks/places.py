"""Where a program calls MPI, and what is found there. What is looked for is in the files beside this one."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A line of the user's code, the rank that runs it, and the function of MPI that it calls: ``"Comm.Dup"``."""

    rank: int
    file: str
    line: int
    function: str
    call: str


class Left(NamedTuple):
    """What a run has left behind.

    :ivar kind: the kind of finding.
    :ivar what: what it is, in words that follow "rank 0".
    :ivar right: what would be right.
    """

    kind: str
    place: Place
    what: str
    right: str
