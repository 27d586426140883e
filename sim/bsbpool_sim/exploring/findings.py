"""Findings: the faults that a schedule shows, with kind, ranks and lines. There is one finding for each fault.

Choosing and running schedules does not belong here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from bsbpool.frames import file_of, is_users, library, users_frame
from bsbpool.values import text_of

from ..checks.audit import LEFT_BEHIND
from ..checks.violations import Violation
from ..error_classes import ERROR_CLASSES
from ..errors import (
    AbortError,
    CollectiveMismatchError,
    DeadlockError,
    HorizonError,
    MPIError,
    Stuck,
    TruncationError,
    TypeMismatchError,
)
from ..mpi.contexts import ranks as ranks_text
from ..tape import Tape
from .pools import follows_from_a_fault
from .schedules import Schedule

#: What an exception says that MPI raised, the most special class first.
KINDS_OF_ERRORS: tuple[tuple[type[BaseException], str], ...] = (
    (TruncationError, "truncation"),
    (CollectiveMismatchError, "collective-mismatch"),
    (TypeMismatchError, "type-mismatch"),
    (MPIError, "invalid-argument"),
)

#: Classes of errors of who accesses a window outside of an epoch, or begins one twice.
_OF_EPOCHS = (ERROR_CLASSES["ERR_RMA_SYNC"],)

#: What mpi4py itself raises for arguments that can't be MPI's.
_OF_ARGUMENTS = (ValueError, OverflowError, TypeError, BufferError, KeyError)

#: Functions of MPI that wait for a single message, or for requests.
_OF_MESSAGES = (
    "recv", "send", "ssend", "sendrecv", "probe", "mprobe", "wait", "waitall", "waitany", "waitsome",
    "sendrecv_replace",
)  # fmt: skip

#: How it is said that a rank waits.
WAITS = "waits for "


class RankPlace(NamedTuple):
    """The place at which a rank was when the failure happened.

    :ivar rank: its number in the simulation.
    :ivar file: the file of the innermost line of the user's code; "" if there is none.
    :ivar line: that line; 0 if there is none.
    :ivar function: the function that it is in.
    :ivar what: what the rank did, or waited for.
    """

    rank: int
    file: str
    line: int
    function: str
    what: str


class ChoiceMade(NamedTuple):
    """A choice of a schedule that departs from the default.

    :ivar number: its number in the tape.
    :ivar where: file, line and function of the call; "" if no call is chosen for.
    :ivar text: what was chosen, in words.
    :ivar critical: whether every schedule that was drawn goes wrong after it, while some before it do not.
    """

    number: int
    where: str
    text: str
    critical: bool

    def __str__(self) -> str:
        return self.text + (f", at {self.where}" if self.where else "")


class Unusual(Enum):
    """What MPI may do, and hardly ever does: exploring runs the first schedule once more with each."""

    VALUES = "memory that MPI has not written yet has other values, or waits end as late as they can"
    LATE_RECEIVES = "receives begin as late as they can"
    NUMBERS = "the ranks of grids and graphs have other numbers"


@dataclass(frozen=True)
class Finding:
    """A failure of a program, with a schedule that shows it.

    :ivar kind: its kind, such as "deadlock", "failure" or "divergence"; the page on exploring lists all kinds.
    :ivar message: what is wrong, and what would be right.
    :ivar file: the file of the line that it is about; "" if there is none.
    :ivar line: that line; 0 if there is none.
    :ivar ranks: the ranks that take part, and where each of them was.
    :ivar tape: the choices of a schedule that shows it, with the fewest departures that were found.
    :ivar schedule: the number of the first schedule that showed it, from 1.
    :ivar late: whether receives from any rank are matched late in that schedule.
    :ivar eager_limit: bytes up to which messages are buffered in that schedule; None: all are.
    :ivar choices: the departures of the tape, in words.
    :ivar unusual: what MPI does in its run, if only exploring makes such runs; None: any run may be so.
    :ivar runs: its run beside the nearest one that does not have it, as `nearest_run.TwoRuns`; None if none was found.
    :ivar delays: the smallest delays of links that cause it in virtual time, without any choice, as
        `delays.LinkDelay`; empty if it happens without delays, None if that is not known.
    """

    kind: str
    message: str
    file: str
    line: int
    ranks: tuple[RankPlace, ...]
    tape: Tape
    schedule: int
    late: bool
    eager_limit: int | None = None
    choices: tuple[ChoiceMade, ...] = ()
    unusual: Unusual | None = None
    runs: Any = None
    delays: tuple[Any, ...] | None = None

    @property
    def key(self) -> Hashable:
        """A key that is equal for findings of the same fault that look the same."""
        return self.kind, self.file, self.line, frozenset(self._lines()), _without_numbers(self.message)

    def same_fault(self, other: Finding) -> bool:
        """Whether another finding, of any schedule, is of the same fault.

        :param other: the other finding.
        :returns: whether both are of one kind, and at the same line; for a deadlock, whether a rank is stuck at a line
            at which one is stuck in the other.
        """
        if self.kind != other.kind:
            return False
        if self.kind in ("deadlock", "buffering"):
            return bool(self._lines() & other._lines())
        if self.kind == "invariant":
            return _without_numbers(self.message) == _without_numbers(other.message)
        return self.kind == "divergence" or (self.file, self.line) == (other.file, other.line)

    def _lines(self) -> set[tuple[str, int]]:
        return {(each.file, each.line) for each in self.ranks}


def _without_numbers(text: str) -> str:
    return re.sub(r"\d+", "0", text)


class FoundFault(NamedTuple):
    """What a finding is, before it is known of which schedule."""

    kind: str
    message: str
    file: str
    line: int
    ranks: tuple[RankPlace, ...]


def faults_of(schedule: Schedule) -> list[FoundFault]:
    """Return the faults of a schedule; none if it ended without a failure."""
    if schedule.found is not None:
        return [*schedule.found]
    if not (
        schedule.stopped is not None
        or schedule.raised
        or schedule.statuses
        or schedule.broken
        or schedule.simulation.violations
    ):
        return []  # as mostly
    found = [
        _of_exception(rank, error, schedule.calls.get(rank, ""))
        for rank, error in schedule.raised.items()
        if not (schedule.struck and follows_from_a_fault(error))
    ]
    mismatches = [each for each in found if each.kind == "collective-mismatch"]
    if mismatches:
        found = [each for each in found if each.kind != "collective-mismatch"]
        others = [other for error in schedule.raised.values() if (other := getattr(error, "other", ""))]
        found.append(_of_mismatch(mismatches, [each for each in schedule.stuck if each.call in others]))
    for rank, status in schedule.statuses.items():
        message = f"rank {rank} ended with exit status {status}; a program that is right ends with 0 in every order"
        if (end := schedule.own_ends.get(rank)) is not None:
            place = RankPlace(rank, end.place.file, end.place.line, end.place.function, f"exit status {status}")
        else:
            place = _place_of(rank, schedule.exits.get(rank))._replace(what=f"exit status {status}")
        found.append(FoundFault("failure", message, place.file, place.line, (place,)))
    stopped = schedule.stopped
    if isinstance(stopped, AbortError):
        place = RankPlace(stopped.rank, stopped.file, stopped.line, stopped.function, f"Abort({stopped.errorcode})")
        found.append(FoundFault("failure", str(stopped), place.file, place.line, (place,)))
    elif isinstance(stopped, DeadlockError) and not schedule.raised and not found:
        # If others wait for a rank that has raised, that is no fault of its own.
        found.append(_of_deadlock(stopped))
    elif isinstance(stopped, HorizonError) and not schedule.given_up and not found:
        found.append(FoundFault("failure", f"it does not end: {stopped}", "", 0, ()))
    if schedule.broken and not found:
        # What is wrong first brings about the rest.
        found.append(FoundFault("invariant", f"{schedule.broken[0]}; a job pool holds to this in every run", "", 0, ()))
    # A program that did not end well may well leave something behind.
    left = () if stopped is None and not found else LEFT_BEHIND
    return [*found, *of_violations([each for each in schedule.simulation.violations if each.kind not in left])]


def of_violations(violations: Sequence[Violation]) -> Iterator[FoundFault]:
    """One for each line that breaks a rule, with all ranks for which it does."""
    by_line: dict[tuple[str, str, int], list[Violation]] = {}
    for each in violations:
        by_line.setdefault((each.kind, each.place.file, each.place.line), []).append(each)
    for (kind, file, line), of_line in by_line.items():
        first = min(of_line, key=lambda each: each.place.rank)
        by_rank = {each.place.rank: each for each in of_line}
        places = tuple(
            RankPlace(rank, file, line, each.place.function, each.what) for rank, each in sorted(by_rank.items())
        )
        yield FoundFault(kind, f"rank {first.place.rank} {first.what}, and {first.right}", file, line, places)


def unbuffered(error: DeadlockError) -> FoundFault:
    """The finding of a deadlock that comes only where messages are not buffered, and collective calls wait for all."""
    sends = [each for each in error.stuck if each.call.lower().startswith(("send", "isend"))]
    # In a collective call all may wait, also those who have nothing to do with the fault.
    messages = [each for each in error.stuck if each.call.lower() in _OF_MESSAGES]
    first = min(sends or messages or error.stuck, key=lambda each: each.rank)
    stuck = ranks_text(sorted({each.rank for each in error.stuck}))
    if sends or len(messages) == len(error.stuck):
        unless = "MPI did not buffer messages"
        right = "A send may wait for its receive, so the order has to be right without buffers: use sendrecv, or isend"
    else:
        unless = "collective calls waited for all ranks"
        right = "MPI leaves that open, so what a rank receives before such a call has to be sent before that call, too"
    message = f"{stuck} would wait for ever if {unless}: rank {first.rank} for {first.waits_for}. {right}"
    places = tuple(RankPlace(s.rank, s.file, s.line, s.function, WAITS + s.waits_for) for s in error.stuck)
    return FoundFault("buffering", message, first.file, first.line, places)


def _of_deadlock(error: DeadlockError) -> FoundFault:
    places = tuple(RankPlace(s.rank, s.file, s.line, s.function, WAITS + s.waits_for) for s in error.stuck)
    # Who waits for a single message is closer to the fault than who waits for all ranks.
    messages = [place for place, each in zip(places, error.stuck, strict=True) if each.call.lower() in _OF_MESSAGES]
    first = _odd_one(messages or places)
    ranks = sorted({each.rank for each in places})
    awaited = f"{first.what.removeprefix(WAITS)}, which has to come in every order"
    if len(ranks) == 1:
        message = f"{ranks_text(ranks)} waits for ever for {awaited}"
    else:
        message = f"{ranks_text(ranks)} wait for ever; rank {first.rank} waits for {awaited}"
    return FoundFault("deadlock", message, first.file, first.line, places)


def _of_mismatch(raised: Sequence[FoundFault], stuck: Sequence[Stuck]) -> FoundFault:
    """One finding for all ranks that take part, the others of which wait."""
    places = [place for each in raised for place in each.ranks]
    places += [RankPlace(s.rank, s.file, s.line, s.function, WAITS + s.waits_for) for s in stuck]
    first = _odd_one(places)
    return raised[0]._replace(file=first.file, line=first.line, ranks=tuple(sorted(places)))


def _odd_one(places: Sequence[RankPlace]) -> RankPlace:
    """In a program that all ranks run, the line at which the fewest of them are is the one to look at."""
    at_line = Counter((each.file, each.line) for each in places)
    return min(places, key=lambda each: (at_line[each.file, each.line], each.rank))


def _of_exception(rank: int, error: BaseException, call: str) -> FoundFault:
    kind = _kind(error, call)
    place = _place_of(rank, error)
    text = f"{type(error).__name__}: {text_of(error)}".removesuffix(": ")
    raised = place._replace(what=f"raised {text}")
    return FoundFault(kind, f"rank {rank} raised {text}", place.file, place.line, (raised,))


def _place_of(rank: int, error: BaseException | None) -> RankPlace:
    """Where a rank raised."""
    frame, line = (None, 0) if error is None else users_line(error)
    if frame is None:
        return RankPlace(rank, "", 0, "", "")
    return RankPlace(rank, file_of(frame), line, frame.f_code.co_name, "")


def _kind(error: BaseException, call: str) -> str:
    """The kind of finding that an exception is, by the function of MPI that raised it."""
    if isinstance(error, MPIError):
        of_window = call.startswith("Win.") and error.error_class == ERROR_CLASSES["ERR_OTHER"]
        if error.error_class in _OF_EPOCHS or of_window:
            return "epoch"
        return next(kind for of, kind in KINDS_OF_ERRORS if isinstance(error, of))
    return "invalid-argument" if call and isinstance(error, _OF_ARGUMENTS) else "failure"


def users_line(error: BaseException) -> tuple[FrameType | None, int]:
    """The innermost frame of the user's code in which an exception was, and its line."""
    lines = dict(_frames(error))
    frame = users_frame(_of_program([*lines][::-1]))
    return frame, 0 if frame is None else lines[frame]


def _of_program(frames: list[FrameType]) -> list[FrameType]:
    """These frames without those of libraries that know nothing of MPI, such as NumPy, if users have others too. A
    program may be installed as libraries are, but it imports MPI.
    """
    libraries = [library(frame.f_code.co_filename) for frame in frames]
    known = {None, "", *(of for of, frame in zip(libraries, frames, strict=True) if of and _knows_mpi(frame))}
    kept = [frame for of, frame in zip(libraries, frames, strict=True) if of in known]
    return kept if any(map(is_users, kept)) else frames


def _knows_mpi(frame: FrameType) -> bool:
    """Whether the module of a frame has imported something of MPI."""
    modules = (each.__name__ for each in [*frame.f_globals.values()] if isinstance(each, ModuleType))
    return any(name.partition(".")[0] == "mpi4py" for name in modules)


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
