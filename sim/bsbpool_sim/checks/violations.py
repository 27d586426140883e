"""The record of a violation, with its line of the program. Each check has a separate file."""

from __future__ import annotations

from typing import NamedTuple


class CallPlace(NamedTuple):
    """A line of the user's code, the rank that runs it, and the function of MPI that it calls: ``"Comm.Dup"``."""

    rank: int
    file: str
    line: int
    function: str
    call: str

    @property
    def name(self) -> str:
        """The name of the method: "Dup"."""
        return self.call.rpartition(".")[2]


class Violation(NamedTuple):
    """A rule of MPI that a program breaks, although no call raises.

    :ivar kind: the kind of finding.
    :ivar what: what the program does, in words that follow "rank 0".
    :ivar right: what would be right.
    """

    kind: str
    place: CallPlace
    what: str
    right: str


class LeakedHandleWarning(UserWarning):
    """A test on simulated ranks has made something of MPI's that it did not free."""
