"""The audit at the end of a run: messages that nobody received, requests that nobody completed, handles not freed.

It takes note of each, with its line, as it begins; what MPI does with them doesn't belong here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from greenlet import getcurrent

from bsbpool.frames import file_of, is_users

from ..kernel import Task

#: The folder of the simulator.
_HERE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")

#: Whether a file is the user's, as far as that was asked.
_users: dict[str, bool] = {}

#: What `checks` may name.
KINDS = ("unreceived-message", "unfinished-request", "leaked-handle")


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


class Sendable(Protocol):
    """A message.

    :ivar taken: whether it was matched.
    """

    tag: int
    taken: bool


class Completable(Protocol):
    """A request.

    :ivar over: whether its program was told that it is done, or has freed it.
    """

    over: bool


class Freeable(Protocol):
    """What a communicator is to one rank.

    :ivar constant: the name under which MPI has it; "" if the program made it.
    """

    constant: str
    freed: bool


class Audit:
    """Takes note of what has to come to an end before its program does.

    :param kinds: what to look for, of `KINDS`.
    """

    def __init__(self, kinds: Sequence[str] = KINDS):
        self._kinds = kinds
        self._sent: list[tuple[Sendable, int, Place]] = []
        self._requests: list[tuple[Completable, Place]] = []
        self._made: list[tuple[Freeable, Place]] = []

    def sent(self, message: Sendable, dest: int) -> None:
        """A message was sent to a rank of the simulation."""
        if (place := self._place()) is not None:
            self._sent.append((message, dest, place))

    def began(self, request: Completable) -> None:
        """A request began."""
        if (place := self._place()) is not None:
            self._requests.append((request, place))

    def made(self, member: Freeable) -> None:
        """A communicator was made, for the program or for a window of its own."""
        if (place := self._place()) is not None and not place.call.startswith("File"):
            self._made.append((member, place))

    def _place(self) -> Place | None:
        """The line that calls MPI now; None if it is not the user's."""
        task = getcurrent()
        if not isinstance(task, Task):
            return None
        frame = sys._getframe(2)
        while (outer := frame.f_back) is not None and outer.f_code.co_filename.startswith(_HERE):
            frame = outer
        if outer is None:
            return None
        code = outer.f_code
        users = _users.get(code.co_filename)
        if users is None:
            users = _users[code.co_filename] = is_users(outer)
        # What a library leaves that calls MPI for the user is its own.
        return (
            Place(task.rank.index, file_of(outer), outer.f_lineno, code.co_name, frame.f_code.co_qualname)
            if users
            else None
        )

    def left(self) -> list[Left]:
        """What is left when all programs have returned."""
        found = []
        # A receive that nobody has waited for may be the one of a message.
        receiving = {place.rank for request, place in self._requests if not request.over and hasattr(request, "match")}
        if "unreceived-message" in self._kinds:
            found += [
                Left(
                    "unreceived-message", place, f"sends a message with tag {message.tag} to rank {dest}",
                    "nobody has received it; each message that is sent has to be received",
                )
                for message, dest, place in self._sent
                if not message.taken and dest not in receiving
            ]  # fmt: skip
        if "unfinished-request" in self._kinds:
            found += [
                Left(
                    "unfinished-request", place, f"begins a request with {place.call.rpartition('.')[2]}",
                    "nobody has waited for it; each request has to be completed by a wait or a test",
                )
                for request, place in self._requests
                if not request.over
            ]  # fmt: skip
        if "leaked-handle" in self._kinds:
            found += [
                Left(
                    "leaked-handle", place, f"makes a {kind} with {place.call.rpartition('.')[2]}",
                    f"it was not freed; each {kind} that a program makes has to be freed",
                )
                for member, place in self._made
                if not member.freed and not member.constant
                for kind in ["window" if place.call.startswith("Win.") else "communicator"]
            ]  # fmt: skip
        return found
