"""The facts of errors and faults, as data: one record for each kind, with typed fields.

Traces contain these records, and replays and checks compare them; no code reads messages. `wording` makes the messages
for people; `errors_and_facts` maps exceptions to facts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, TypeAlias, cast

from . import wording

__all__ = [
    "ERRORS",
    "FAULTS",
    "Cancelled",
    "Delayed",
    "DependencyFailed",
    "Died",
    "Error",
    "Fact",
    "Fault",
    "Interrupted",
    "JobFailed",
    "Killed",
    "LeftRank",
    "LostRank",
    "NobodyLeft",
    "NotScheduled",
    "Other",
    "Overdue",
    "Paused",
    "Raised",
    "SchedulerFailed",
    "Slowed",
    "Stopped",
    "WorkflowFailed",
    "with_texts",
]

#: Errors that are told of in another one, at the most; and how deep they are within each other.
MOST_ERRORS, DEEPEST_ERROR = 8, 4


class Fact:
    """One kind of what can be said.

    :cvar kind: what a trace calls the kind.
    """

    __slots__ = ()
    kind: ClassVar[str]


class _Error(Fact):
    """Facts of an error; `str()` gives its type and message, as people read it."""

    __slots__ = ()

    @property
    def type(self) -> str:
        """The name of the exception's class."""
        return _TYPES[self.kind]

    @property
    def message(self) -> str:
        """The exception's message, as people read it."""
        return wording.message(self)

    def __str__(self) -> str:
        return wording.error(self)


@dataclass(frozen=True, slots=True)
class Raised(Fact):
    """Any exception of which nothing else is known: the name of its class, and its message."""

    kind: ClassVar[str] = "raised"
    type: str
    message: str

    def __str__(self) -> str:
        return wording.error(self)


@dataclass(frozen=True, slots=True)
class Overdue(_Error):
    """A job ran past its limit, in nanoseconds.

    :ivar ended: what became of it: ``interrupted``; ``running``, since it can't be interrupted; or ``silent``, if its
        rank does not answer.
    :ivar place: where its code was; empty if that is not known.
    """

    kind: ClassVar[str] = "overdue"
    limit: int
    rank: int
    host: str
    ended: str
    place: str


@dataclass(frozen=True, slots=True)
class LostRank(_Error):
    """A rank died.

    :ivar died: when, in nanoseconds of virtual time; None if nobody knows.
    :ivar times: how many times the job was lost with its rank, of which this is the error.
    """

    kind: ClassVar[str] = "lost rank"
    rank: int
    host: str
    died: int | None
    times: int = 1


@dataclass(frozen=True, slots=True)
class LeftRank(_Error):
    """A rank left the pool.

    :ivar error: what it raised; None if it did not call `execute()`.
    :ivar times: as in `LostRank`.
    """

    kind: ClassVar[str] = "left rank"
    rank: int
    error: Error | None
    times: int = 1


@dataclass(frozen=True, slots=True)
class NotScheduled(_Error):
    """A node was not scheduled because of another one, on which it depends and which was not scheduled."""

    kind: ClassVar[str] = "not scheduled"
    node: str
    because: str


@dataclass(frozen=True, slots=True)
class SchedulerFailed(_Error):
    """A node was not scheduled since its scheduler raised an error."""

    kind: ClassVar[str] = "scheduler failed"
    node: str
    error: Error


@dataclass(frozen=True, slots=True)
class JobFailed(_Error):
    """A job failed, or was aborted with an error.

    :ivar job: its id.
    :ivar of: the name of its class.
    :ivar description: what its pool calls it.
    :ivar aborted: the error that it was aborted with; None if it failed.
    """

    kind: ClassVar[str] = "job failed"
    job: int
    of: str
    description: str
    aborted: Error | None


@dataclass(frozen=True, slots=True)
class Cancelled(_Error):
    """Somebody cancelled the job, for that reason if there is one."""

    kind: ClassVar[str] = "cancelled"
    reason: str | None


@dataclass(frozen=True, slots=True)
class DependencyFailed(_Error):
    """A job was cancelled since one that it depends on did not succeed."""

    kind: ClassVar[str] = "dependency failed"


@dataclass(frozen=True, slots=True)
class Stopped(_Error):
    """A job ended since its pool stopped early.

    :ivar running: whether it ran then, so that it is aborted; else it is cancelled.
    :ivar why: ``failure``, of a pool that fails fast; ``raised``, if main or a listener raised `error`;
        ``unexecuted``, if main left the pool without executing it; or ``closed``.
    """

    kind: ClassVar[str] = "stopped"
    running: bool
    why: str
    error: Error | None = None

    @property
    def type(self) -> str:
        """The name of the exception's class."""
        return "JobAbortedError" if self.running else "JobCancelledError"


@dataclass(frozen=True, slots=True)
class NobodyLeft(_Error):
    """No rank is left to run jobs.

    :ivar unfinished: how many jobs have not run.
    :ivar gone: how many ranks are lost.
    :ivar stuck: ranks that are at jobs which can't be interrupted.
    """

    kind: ClassVar[str] = "nobody left"
    unfinished: int
    gone: int
    stuck: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WorkflowFailed(_Error):
    """There were errors that no listener handled.

    :ivar count: how many.
    :ivar errors: the first of them.
    """

    kind: ClassVar[str] = "workflow failed"
    count: int
    errors: tuple[Error, ...]


Error: TypeAlias = (
    Raised | Overdue | LostRank | LeftRank | NotScheduled | SchedulerFailed | JobFailed | Cancelled | DependencyFailed
    | Stopped | NobodyLeft | WorkflowFailed
)  # fmt: skip

_TYPES = {
    "overdue": "JobTimeoutError",
    "lost rank": "RankLostError",
    "left rank": "RankLostError",
    "not scheduled": "JobSchedulingError",
    "scheduler failed": "JobSchedulingError",
    "job failed": "JobErroredError",
    "cancelled": "JobCancelledError",
    "dependency failed": "JobCancelledError",
    "nobody left": "JobPoolError",
    "workflow failed": "WorkflowError",
}


# -- what a script does to ranks and links ---------------------------------------------------------------


class _Fault(Fact):
    """Facts of a fault; `str()` gives them as people read them."""

    __slots__ = ()

    def __str__(self) -> str:
        return wording.fault(self)


@dataclass(frozen=True, slots=True)
class Died(_Fault):
    """The rank died."""

    kind: ClassVar[str] = "died"


@dataclass(frozen=True, slots=True)
class Killed(_Fault):
    """The rank was killed, by that job if there is one."""

    kind: ClassVar[str] = "killed"
    job: str | None


@dataclass(frozen=True, slots=True)
class Interrupted(_Fault):
    """Ctrl-C was pressed there."""

    kind: ClassVar[str] = "interrupted"


@dataclass(frozen=True, slots=True)
class Paused(_Fault):
    """The rank was paused for so many nanoseconds."""

    kind: ClassVar[str] = "paused"
    ns: int


@dataclass(frozen=True, slots=True)
class Slowed(_Fault):
    """The rank became slower by a factor."""

    kind: ClassVar[str] = "slowed"
    factor: float


@dataclass(frozen=True, slots=True)
class Delayed(_Fault):
    """From now on messages from the rank to another one take so many nanoseconds longer."""

    kind: ClassVar[str] = "delayed"
    to: int
    ns: int


@dataclass(frozen=True, slots=True)
class Other(_Fault):
    """Something else, of which a person reads."""

    kind: ClassVar[str] = "other"
    said: str


Fault: TypeAlias = Died | Killed | Interrupted | Paused | Slowed | Delayed | Other

#: By what a trace calls it: each kind.
ERRORS: dict[str, type[Any]] = {
    kind.kind: kind
    for kind in (
        Raised, Overdue, LostRank, LeftRank, NotScheduled, SchedulerFailed, JobFailed, Cancelled, DependencyFailed,
        Stopped, NobodyLeft, WorkflowFailed,
    )
}  # fmt: skip
FAULTS: dict[str, type[Any]] = {kind.kind: kind for kind in (Died, Killed, Interrupted, Paused, Slowed, Delayed, Other)}


def with_texts(error: Error, changed: Callable[[str], str], depth: int = DEEPEST_ERROR) -> Error:
    """The same facts with each text changed; of errors that are deeper within it, only type and message."""
    if depth == 1 and not isinstance(error, Raised):
        return Raised(changed(error.type), changed(error.message))
    new: dict[str, Any] = {}
    for field in fields(error):
        value = getattr(error, field.name)
        if isinstance(value, str):  # a name of the user's may be of another class
            new[field.name] = changed(value)
        elif type(value) is tuple:
            most = value[:MOST_ERRORS] if isinstance(error, WorkflowFailed) else value
            new[field.name] = tuple(v if type(v) is int else with_texts(v, changed, depth - 1) for v in most)
        elif isinstance(value, Fact):
            new[field.name] = with_texts(cast("Error", value), changed, depth - 1)
    return replace(error, **new) if new else error
