"""The events of a trace, as data: one record for each kind.

Each record is a tuple of its kind, its time (nanoseconds since the trace began), and the fields of that kind; a large
run has millions of them. `format` defines the fields, `bsbpool.facts` the data of errors and faults, and
`bsbpool.wording` makes the text of an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

from ..facts import Error, Fault

PoolId: TypeAlias = int | str


class Frame(NamedTuple):
    """A frame of a traceback: the file, the line (from 1), and the function's qualified name."""

    file: str
    line: int
    function: str


class TracedError(NamedTuple):
    """An error of a traceback.

    :ivar how: how it belongs to the one before it: ``raised``, ``cause``, ``context``, ``member``.
    :ivar frames: outermost first: the last is where it was raised.
    """

    how: str
    error: Error
    frames: tuple[Frame, ...]


class PoolOpened(NamedTuple):
    """A pool was opened on main."""

    e: Literal["pool"]
    t: int
    pool: PoolId
    ranks: int
    fail_fast: bool
    phases: Sequence[str]


class PoolAnnounced(NamedTuple):
    """It is BSB's own pool: what that does not announce to its listeners, the trace does not have."""

    e: Literal["announced"]
    t: int
    pool: PoolId


class OneAtATime(NamedTuple):
    """Its ranks get no job ahead of time: with this MPI only one thread may send."""

    e: Literal["one_at_a_time"]
    t: int
    pool: PoolId


class IdleFirst(NamedTuple):
    """Its idle ranks get what becomes ready at once."""

    e: Literal["idle_first"]
    t: int
    pool: PoolId


class InTurn(NamedTuple):
    """It has one rank, on which schedulers and jobs take turns."""

    e: Literal["in_turn"]
    t: int
    pool: PoolId


class RetriesSet(NamedTuple):
    """A job that is lost with its rank runs again, so many times."""

    e: Literal["retries"]
    t: int
    pool: PoolId
    times: int


class PoolStatusChanged(NamedTuple):
    """A pool took a status."""

    e: Literal["pool_status"]
    t: int
    pool: PoolId
    status: str


class JobQueued(NamedTuple):
    """A job was queued: its kind (class), name, context, the ids of jobs that it depends on, its cache items."""

    e: Literal["job"]
    t: int
    pool: PoolId
    job: int
    kind: str
    name: str
    context: Mapping[str, Any]
    deps: Sequence[int]
    cache: Sequence[int]


class LimitSet(NamedTuple):
    """A job got a time limit, in nanoseconds, or (None) has none any more."""

    e: Literal["limit"]
    t: int
    pool: PoolId
    job: int
    ns: int | None


class JobStatusChanged(NamedTuple):
    """A job took a status; rank: where it runs or ran; error: what it ended with."""

    e: Literal["status"]
    t: int
    pool: PoolId
    job: int
    status: str
    rank: int | None
    error: Error | None


class OutcomeReceived(NamedTuple):
    """Main received a job's outcome from a rank; started, ended: nanoseconds of that rank's clock."""

    e: Literal["message"]
    t: int
    pool: PoolId
    rank: int
    job: int
    started: int
    ended: int


class RankReady(NamedTuple):
    """Main learned that a rank is there to run jobs."""

    e: Literal["ready"]
    t: int
    pool: PoolId
    rank: int


class MemoryGrew(NamedTuple):
    """The most memory that a rank's process has had grew, by the end of a job that ran there (real ranks only)."""

    e: Literal["memory"]
    t: int
    pool: PoolId
    rank: int
    job: int
    peak: int


class JobsReturned(NamedTuple):
    """A rank gave back jobs that it was sent ahead and had not started."""

    e: Literal["returned"]
    t: int
    pool: PoolId
    rank: int
    jobs: Sequence[int]


class CancelTried(NamedTuple):
    """Somebody tried to cancel a job; done: whether it was cancelled."""

    e: Literal["cancel"]
    t: int
    pool: PoolId
    job: int
    reason: str | None
    done: bool


class CalledBack(NamedTuple):
    """Before that, of a job that was sent ahead: its rank is asked for it."""

    e: Literal["call_back"]
    t: int
    pool: PoolId
    rank: int
    job: int
    reason: str | None


class AlreadyStarted(NamedTuple):
    """The rank has started it already."""

    e: Literal["started"]
    t: int
    pool: PoolId
    rank: int
    job: int


class Unanswered(NamedTuple):
    """As the pool stopped early, a rank did not say in time which of the jobs that it was sent ahead it has started."""

    e: Literal["unanswered"]
    t: int
    pool: PoolId
    rank: int


class RankStuck(NamedTuple):
    """A job that is past its limit could not be interrupted: its rank gets no more jobs until it has ended."""

    e: Literal["stuck"]
    t: int
    pool: PoolId
    rank: int
    job: int


class Resumed(NamedTuple):
    """Jobs are given out again, after listeners have heard of a failure, or of such a cancellation."""

    e: Literal["resumed"]
    t: int
    pool: PoolId


class Traceback(NamedTuple):
    """Where the error was raised of which the next event tells, and its causes; of: that event's kind."""

    e: Literal["traceback"]
    t: int
    pool: PoolId
    job: int | None
    of: str
    errors: Sequence[TracedError]


class SetByHand(NamedTuple):
    """Somebody set a job's status by hand, or runs it on main."""

    e: Literal["by_hand"]
    t: int
    pool: PoolId
    job: int
    status: str
    error: Error | None


class Pinged(NamedTuple):
    """Nothing had happened for the pool's maximal wait."""

    e: Literal["ping"]
    t: int
    pool: PoolId


class Cached(NamedTuple):
    """Main learned what a rank took into its cache while it ran a job (None: before the first one)."""

    e: Literal["cached"]
    t: int
    pool: PoolId
    rank: int
    job: int | None
    items: Sequence[int]


class Freed(NamedTuple):
    """The items that a rank has to free before a job (None: at the end)."""

    e: Literal["freed"]
    t: int
    pool: PoolId
    rank: int
    job: int | None
    items: Sequence[int]


class ScheduleCalled(NamedTuple):
    """`schedule()` was called, with so many nodes."""

    e: Literal["schedule"]
    t: int
    pool: PoolId
    nodes: int


class NodeScheduling(NamedTuple):
    """The scheduler of one of these calls (from 0) began with a node."""

    e: Literal["scheduling"]
    t: int
    pool: PoolId
    node: str
    scheduler: int


class NodeScheduled(NamedTuple):
    """It ended with it."""

    e: Literal["scheduled"]
    t: int
    pool: PoolId
    node: str
    error: Error | None
    scheduler: int


class RankGone(NamedTuple):
    """Main learned that a rank is gone."""

    e: Literal["lost"]
    t: int
    pool: PoolId
    rank: int
    error: Error


class Unhandled(NamedTuple):
    """No listener handled an error, of a job or (None) of something else: `execute()` is to raise it."""

    e: Literal["unhandled"]
    t: int
    pool: PoolId
    job: int | None
    error: Error


class SomethingRaised(NamedTuple):
    """Something other than a job raised while the pool executed: a listener, a callback, Ctrl-C."""

    e: Literal["raised"]
    t: int
    pool: PoolId
    error: Error


class Unexecuted(NamedTuple):
    """Main leaves the pool, and has not executed it; error: what the program raised."""

    e: Literal["unexecuted"]
    t: int
    pool: PoolId
    error: Error | None


class PoolEnded(NamedTuple):
    """`execute()` ended on main; error: what it raised."""

    e: Literal["end"]
    t: int
    pool: PoolId
    error: Error | None


class MessageReceived(NamedTuple):
    """A message of the program's own, as its receiver got it (simulated ranks only)."""

    e: Literal["receive"]
    t: int
    rank: int
    source: int
    tag: int
    size: int


class FaultInjected(NamedTuple):
    """What a script did to a rank."""

    e: Literal["fault"]
    t: int
    rank: int
    what: Fault


#: What happens to pools.
PoolEvent: TypeAlias = (
    PoolOpened | PoolAnnounced | OneAtATime | IdleFirst | InTurn | RetriesSet | PoolStatusChanged | JobQueued | LimitSet
    | JobStatusChanged | OutcomeReceived | RankReady | MemoryGrew | JobsReturned | CancelTried | CalledBack
    | AlreadyStarted | Unanswered | RankStuck | Resumed | Traceback | SetByHand | Pinged | Cached | Freed
    | ScheduleCalled | NodeScheduling | NodeScheduled | RankGone | Unhandled | SomethingRaised | Unexecuted | PoolEnded
)  # fmt: skip
Event: TypeAlias = PoolEvent | MessageReceived | FaultInjected

#: The record of each kind of event, by what a trace calls the kind.
RECORDS: dict[str, type[Any]] = {
    "pool": PoolOpened,
    "announced": PoolAnnounced,
    "one_at_a_time": OneAtATime,
    "idle_first": IdleFirst,
    "in_turn": InTurn,
    "retries": RetriesSet,
    "pool_status": PoolStatusChanged,
    "job": JobQueued,
    "limit": LimitSet,
    "status": JobStatusChanged,
    "message": OutcomeReceived,
    "ready": RankReady,
    "memory": MemoryGrew,
    "returned": JobsReturned,
    "cancel": CancelTried,
    "call_back": CalledBack,
    "started": AlreadyStarted,
    "unanswered": Unanswered,
    "stuck": RankStuck,
    "resumed": Resumed,
    "traceback": Traceback,
    "by_hand": SetByHand,
    "ping": Pinged,
    "cached": Cached,
    "freed": Freed,
    "schedule": ScheduleCalled,
    "scheduling": NodeScheduling,
    "scheduled": NodeScheduled,
    "lost": RankGone,
    "unhandled": Unhandled,
    "raised": SomethingRaised,
    "unexecuted": Unexecuted,
    "end": PoolEnded,
    "receive": MessageReceived,
    "fault": FaultInjected,
}

#: By kind: makes a record of a tuple of as many values, unchecked, which takes a third of the time.
MAKE: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    kind: partial(tuple.__new__, record) for kind, record in RECORDS.items()
}


def record_of(event: tuple[Any, ...]) -> Any:
    """The record of an event that is a plain tuple: its kind, its time, and the fields of that kind.

    :raises TypeError: it has too few of them, or too many.
    """
    return event if type(event) is not tuple else RECORDS[event[0]]._make(event)
