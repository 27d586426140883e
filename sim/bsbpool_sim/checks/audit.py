"""The audit of a run: messages that no rank received, requests that were not completed, handles not freed, types,
memory.

It records each of them with its line when it is created. The semantics of MPI do not belong here.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from greenlet import getcurrent

from bsbpool.frames import file_of, is_users

from ..kernel import Task
from . import buffer_races, window_races
from .buffer_races import BufferRaces, TrackedRequest
from .violations import CallPlace, Violation
from .window_races import WindowRaces

#: The folder of the simulator.
_HERE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")

#: Whether a file is the user's, as far as that was asked.
_users: dict[str, bool] = {}

#: Notes of messages and requests that are kept without looking through them.
_ROOM = 1000

#: What is no more than a few numbers; and how many of these a line may leave, of one rank, that nobody has freed.
SMALL, SOME = ("group", "error handler", "key of attributes"), 3

#: The kind of what is found where data of another type comes.
MISMATCH = "type-mismatch"

#: The kind of what works only if messages are buffered.
BUFFERING = "buffering"

#: Kinds of what is left when all programs have returned.
LEFT_BEHIND = ("unreceived-message", "unfinished-request", "leaked-handle")

#: What `checks` may name.
KINDS = (
    *LEFT_BEHIND, MISMATCH, buffer_races.KIND,
    window_races.KIND,
)  # fmt: skip


class Sendable(Protocol):
    """A message.

    :ivar taken: whether it was matched.
    """

    tag: int
    taken: bool


class BegunRequest(TrackedRequest, Protocol):
    """A request.

    :ivar abandoned: whether it is a receive that the program has freed before it was done.
    """

    abandoned: bool


class ProbedMessage(Protocol):
    """A message that a matched probe took."""

    @property
    def message(self) -> Sendable | None:
        """The message; None: it was received."""


class Freeable(Protocol):
    """A handle that a program has to free.

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


class Audit:
    """Records what has to be completed or freed before the program ends.

    :param kinds: what to look for, of `KINDS`.
    """

    def __init__(self, kinds: Sequence[str] = KINDS):
        self._kinds = kinds
        self._sent: list[tuple[Sendable, int, CallPlace]] = []
        self._requests: list[tuple[BegunRequest, CallPlace]] = []
        self._probed: list[tuple[ProbedMessage, int, int, CallPlace]] = []
        self._made: list[tuple[Freeable, str, CallPlace]] = []
        #: how many notes there may be until those of what has come to its end are thrown away.
        self._room = _ROOM
        #: by kind, rank and line.
        self._found: dict[tuple[str, int, str, int], Violation] = {}
        #: takes note of memory that MPI has; None: nobody asks.
        self.buffers = BufferRaces(self._place, self._note) if buffer_races.KIND in kinds else None
        #: takes note of accesses to windows; None: nobody asks.
        self.races = WindowRaces(self._place) if window_races.KIND in kinds else None

    def dissolve(self) -> None:
        """Drop the references to what refers to this, once nobody asks for violations any more."""
        self.buffers = self.races = None

    def sent(self, message: Sendable, dest: int) -> None:
        """A message was sent to a rank of the simulation."""
        if (place := self._place()) is not None:
            self._sent.append((message, dest, place))
            self._tidy()

    def began(self, request: BegunRequest) -> None:
        """A request began."""
        if (place := self._place()) is not None:
            self._requests.append((request, place))
            self._tidy()

    def probed(self, taken: ProbedMessage, source: int, tag: int) -> None:
        """A matched probe took a message of a rank of the simulation: nothing else can receive it."""
        if (place := self._place()) is not None:
            self._probed.append((taken, source, tag, place))
            self._tidy()

    def _tidy(self) -> None:
        """Remove completed records whenever their number has doubled, so that long runs do not keep all messages."""
        if len(self._sent) + len(self._requests) + len(self._probed) < self._room:
            return
        self._sent = [each for each in self._sent if not each[0].taken]
        self._requests = [
            each for each in self._requests if not each[0].over or each[0].persistent or each[0].abandoned
        ]
        self._probed = [each for each in self._probed if each[0].message is not None]
        self._room = max(_ROOM, 2 * (len(self._sent) + len(self._requests) + len(self._probed)))

    def made(self, member: Freeable, what: str = "") -> None:
        """A handle of the given kind was created: a communicator, a window, a datatype."""
        if (place := self._place()) is not None and (what or not place.call.startswith("File")):
            what = what or ("window" if place.call.startswith("Win.") else "communicator")
            self._made.append((member, what, place))

    def mismatched(self, what: str, right: str) -> None:
        """Data was sent or received with another datatype than on other ranks.

        :param what: what the rank that runs does, in words that follow "rank 0".
        :param right: what would be right.
        """
        if (place := self._place()) is not None:
            self._note(Violation(MISMATCH, place, what, right))

    def not_ready(self, what: str) -> None:
        """Something was sent in ready mode, and no receive waits for it. Only who looks for this calls it.

        :param what: what the rank that runs does, in words that follow "rank 0".
        """
        if (place := self._place()) is not None:
            right = "a ready send may begin only after its receive: let the receiver say so first, or use Send"
            self._note(Violation(BUFFERING, place, what, right))

    def _note(self, violation: Violation) -> None:
        place = violation.place
        self._found.setdefault((violation.kind, place.rank, place.file, place.line), violation)

    def _place(self) -> CallPlace | None:
        """Return the line of the user's code that is calling MPI; None if there is none."""
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
            CallPlace(task.rank.index, file_of(outer), outer.f_lineno, code.co_name, frame.f_code.co_qualname)
            if users
            else None
        )

    def violations(self, ended: bool = True) -> list[Violation]:
        """Return all violations.

        :param ended: whether all programs have returned, so that nothing may be left of them.
        """
        return [*(self._left() if ended else ()), *self._seen()]

    def _seen(self) -> list[Violation]:
        """Yield violations that were found during the run."""
        races = [] if self.races is None else [*self.races.found.values()]
        return races + [each for each in self._found.values() if each.kind in (*self._kinds, BUFFERING)]

    def _left(self) -> list[Violation]:
        """Yield messages and requests that programs left behind."""
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
            found += [
                Violation(
                    "unreceived-message", place,
                    f"takes a message with tag {tag} from rank {source} with {place.name}",
                    "it has not received it; each message that a matched probe takes has to be received with that: "
                    "message.Recv(…), or message.recv()",
                )
                for taken, source, tag, place in self._probed
                if taken.message is not None
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
            found += [
                Violation(
                    "unfinished-request", place, f"begins a receive with {place.call.rpartition('.')[2]}",
                    "frees its request before the end: then nothing tells when the message is there; wait for it",
                )
                for request, place in self._requests
                if request.abandoned
            ]  # fmt: skip
        if "leaked-handle" in self._kinds:
            found += [
                Violation(
                    "leaked-handle", place, f"makes {_a(kind)} with {place.call.rpartition('.')[2]}",
                    f"it was not freed; each {kind} that a program makes has to be freed",
                )
                for member, kind, place in self._leaked()
            ]  # fmt: skip
        return found

    def _leaked(self) -> Iterator[tuple[Freeable, str, CallPlace]]:
        """Yield handles that programs did not free."""
        left = [each for each in self._made if not each[0].freed and not each[0].constant]
        if not left:
            return
        lines = Counter(place[:3] for _, what, place in left if what in SMALL)
        for member, what, place in left:
            # A program may keep one of these; but not one for each step.
            if what not in SMALL or lines[place[:3]] >= SOME:
                yield member, what, place


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeio" else f"a {what}"
