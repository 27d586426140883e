"""The audit of a run: messages that nobody received, requests that nobody completed, handles not freed, types, memory.

It takes note of each, with its line, as it begins; what MPI does with them doesn't belong here.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from greenlet import getcurrent

from bsbpool.frames import file_of, is_users

from ..kernel import Task
from . import window_races
from .violations import Place, Violation
from .window_races import WindowRaces

#: The folder of the simulator.
_HERE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")

#: Whether a file is the user's, as far as that was asked.
_users: dict[str, bool] = {}

#: Notes of messages and requests that are kept without looking through them.
_ROOM = 1000

#: What `checks` may name.
KINDS = (
    "unreceived-message", "unfinished-request", "leaked-handle", "type-mismatch", "buffer-race", window_races.KIND,
)  # fmt: skip


class Sendable(Protocol):
    """A message.

    :ivar taken: whether it was matched.
    """

    tag: int
    taken: bool


class Completable(Protocol):
    """A request.

    :ivar over: whether its program was told that it is done, or has freed it.
    :ivar persistent: whether it can be started again.
    """

    over: bool
    persistent: bool


class Freeable(Protocol):
    """What a program has to free.

    :ivar constant: the name under which MPI has it; "" if the program made it.
    """

    constant: str
    freed: bool


class Type(Protocol):
    """A datatype.

    :ivar row: what there is to say of it, if it is a predefined one: its `name`, and the `letters` of its format.
    """

    row: Any
    map: Any


class Memory(Protocol):
    """A buffer."""

    def span(self) -> tuple[int, int] | None:
        """The addresses of its first byte and of the one behind its last; None if its items have gaps."""

    def read(self) -> bytes:
        """What is in it."""


class _Use(NamedTuple):
    """Memory that a request has."""

    request: Completable
    memory: Memory
    writes: bool
    digest: int
    place: Place


class Audit:
    """Takes note of what has to come to an end before its program does.

    :param kinds: what to look for, of `KINDS`.
    """

    def __init__(self, kinds: Sequence[str] = KINDS):
        self._kinds = kinds
        self._sent: list[tuple[Sendable, int, Place]] = []
        self._requests: list[tuple[Completable, Place]] = []
        self._made: list[tuple[Freeable, str, Place]] = []
        #: how many notes there may be until those of what has come to its end are thrown away.
        self._room = _ROOM
        #: by kind, rank and line.
        self._found: dict[tuple[str, int, str, int], Violation] = {}
        self._uses: dict[int, list[_Use]] = {}
        #: takes note of accesses to windows; None: nobody asks.
        self.races = WindowRaces(self._place) if window_races.KIND in kinds else None

    def sent(self, message: Sendable, dest: int) -> None:
        """A message was sent to a rank of the simulation."""
        if (place := self._place()) is not None:
            self._sent.append((message, dest, place))
            self._tidy()

    def began(self, request: Completable) -> None:
        """A request began."""
        if (place := self._place()) is not None:
            self._requests.append((request, place))
            self._tidy()

    def _tidy(self) -> None:
        """Forget what has come to its end, when as much again was noted: else a long run keeps all its messages."""
        if len(self._sent) + len(self._requests) < self._room:
            return
        self._sent = [each for each in self._sent if not each[0].taken]
        self._requests = [each for each in self._requests if not each[0].over or each[0].persistent]
        self._room = max(_ROOM, 2 * (len(self._sent) + len(self._requests)))

    def made(self, member: Freeable, what: str = "") -> None:
        """A communicator was made, or a window, or what is said."""
        if (place := self._place()) is not None and not place.call.startswith("File"):
            what = what or ("window" if place.call.startswith("Win.") else "communicator")
            self._made.append((member, what, place))

    def received(self, sent: Type | None, wanted: Type) -> None:
        """A message of items of one datatype was received as items of another."""
        if sent is None or sent.row is None or wanted.row is None or (place := self._place()) is None:
            return
        if _signature(sent) != _signature(wanted) and not {sent.row.name, wanted.row.name} & _RAW:
            what = f"receives items of MPI.{wanted.row.name}"
            right = f"they were sent as MPI.{sent.row.name}; both sides have to name the same type"
            self._note(Violation("type-mismatch", place, what, right))

    def uses(self, request: Completable, memory: Memory, writes: bool) -> None:
        """A request has memory, until it is over."""
        if (place := self._place()) is None:
            return
        use = _Use(request, memory, writes, zlib.crc32(memory.read()), place)
        others = [each for each in self._uses.get(place.rank, ()) if not each.request.over]
        for other in others:
            if (writes or other.writes) and _overlap(memory.span(), other.memory.span()):
                self._race(
                    use, f"gives memory to {_name(place)} that {_name(other.place)} has, of line {other.place.line}"
                )
        self._uses[place.rank] = [*others, use]

    def ends(self, request: Completable) -> None:
        """A request ends now: has anybody changed its memory meanwhile?"""
        uses = self._uses.get(_rank(), [])
        for use in [each for each in uses if each.request is request]:
            uses.remove(use)
            if zlib.crc32(use.memory.read()) != use.digest:
                self._race(use, f"changes memory while {_name(use.place)} has it")

    def _race(self, use: _Use, what: str) -> None:
        right = (
            "a request has its memory until its wait: nothing else may touch what it writes, or change what it reads"
        )
        self._note(Violation("buffer-race", use.place, what, right))

    def _note(self, violation: Violation) -> None:
        place = violation.place
        self._found.setdefault((violation.kind, place.rank, place.file, place.line), violation)

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

    def violations(self) -> list[Violation]:
        """What was found when all programs have returned."""
        found = []
        # A receive that nobody has waited for may be the one of a message.
        receiving = {place.rank for request, place in self._requests if not request.over and hasattr(request, "match")}
        if "unreceived-message" in self._kinds:
            found += [
                Violation(
                    "unreceived-message", place, f"sends a message with tag {message.tag} to rank {dest}",
                    "nobody has received it; each message that is sent has to be received",
                )
                for message, dest, place in self._sent
                if not message.taken and dest not in receiving
            ]  # fmt: skip
        if "unfinished-request" in self._kinds:
            found += [
                Violation(
                    "unfinished-request", place, f"begins a request with {place.call.rpartition('.')[2]}",
                    "nobody has waited for it; each request has to be completed by a wait or a test",
                )
                for request, place in self._requests
                if not request.over
            ]  # fmt: skip
        if "leaked-handle" in self._kinds:
            found += [
                Violation(
                    "leaked-handle", place, f"makes a {kind} with {place.call.rpartition('.')[2]}",
                    f"it was not freed; each {kind} that a program makes has to be freed",
                )
                for member, kind, place in self._made
                if not member.freed and not member.constant
            ]  # fmt: skip
        if self.races is not None:
            found += self.races.found.values()
        return found + [each for each in self._found.values() if each.kind in self._kinds]


#: What values are, by their formats.
_KINDS_OF_VALUES = {"integers": [*"bBhHiIlLqQpc"], "floating-point numbers": [*"efdg"]}

#: Datatypes that may be received as any other.
_RAW = {"BYTE", "PACKED"}


def _signature(type: Type) -> tuple[str, int]:
    """What two datatypes have in common that may be matched: what their values are, and how large."""
    letters = type.row.letters
    kind = next((kind for kind, of in _KINDS_OF_VALUES.items() if letters in of), letters)
    return kind, type.map.size


def _overlap(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    return one is not None and other is not None and one[0] < other[1] and other[0] < one[1]


def _name(place: Place) -> str:
    return place.call.rpartition(".")[2]


def _rank() -> int:
    task = getcurrent()
    return task.rank.index if isinstance(task, Task) else -1
