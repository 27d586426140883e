"""The language of scenario files: every key, what it means, and what may stand there.

This is the one place that says what the language is. `schema.json` is made from it, so that editors know the
language too, and the reference in the docs is checked against it. How YAML is read belongs in `loading`; what
the parts of a scenario say about each other is checked in `planning`.
"""

from __future__ import annotations

import builtins
import difflib
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from bsbpool import durations
from bsbpool.durations import DURATION_PATTERN, UNITS

from ..streams import Random

#: Ranks that the simulator is made for, at the most.
MOST_RANKS = 10_000
#: Jobs of one scenario, at the most.
MOST_JOBS = 200_000
#: Virtual nanoseconds after which a run is given up, unless it says otherwise.
HORIZON = 24 * 3600 * 10**9
#: Seeds of one scenario, at the most.
MOST_SEEDS = 10_000

T = TypeVar("T")


def wrong(message: str) -> PydanticCustomError:
    """Return an error of this language, whose text is the message as it stands."""
    return PydanticCustomError("scenario", "{message}", {"message": message})


def shown(value: Any) -> str:
    """A value as an error message shows it: as YAML would have it, and not too long."""
    if value is None:
        return "nothing"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


# -- values that are written as text -------------------------------------------------------------------

_RATES = {"B/s": 1, "kB/s": 10**3, "MB/s": 10**6, "GB/s": 10**9}
_RATE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(B/s|kB/s|MB/s|GB/s)$", re.ASCII)
_RANGE = re.compile(r"(\d{1,9})\s*\.\.\s*(\d{1,9})$", re.ASCII)


def read_duration(value: Any) -> int:
    """``500ms``, as nanoseconds."""
    units = ", ".join(unit for unit in UNITS if unit != "µs")
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise wrong(f"{value} has no unit: write {value}s if seconds are meant (units: {units})")
    if not isinstance(value, str):
        raise wrong(f"{shown(value)} is no duration: write a number with a unit, such as 500ms (units: {units})")
    try:
        return durations.read_duration(value, shown(value))
    except ValueError as error:
        raise wrong(str(error)) from None


def read_rate(value: Any) -> float:
    """Return the bytes in a second that a text such as ``100MB/s`` says."""
    found = _RATE.match(value.strip()) if isinstance(value, str) else None
    if found is None or not Decimal(found[1]):
        raise wrong(
            f"{shown(value)} is no bandwidth: write a number above 0 with a unit, such as 100MB/s "
            f"(units: {', '.join(_RATES)})"
        )
    return float(Decimal(found[1]) * _RATES[found[2]])


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9


def _read_seeds(value: Any) -> list[int]:
    seeds: list[int] | None = None
    if _is_seed(value):
        seeds = [value]
    elif isinstance(value, list) and value and all(map(_is_seed, value)):
        seeds = list(dict.fromkeys(value))
    elif isinstance(value, str) and (found := _RANGE.match(value.strip())) and int(found[1]) <= int(found[2]):
        if int(found[2]) - int(found[1]) >= MOST_SEEDS:
            raise wrong(f"{value} are too many seeds: give {MOST_SEEDS} at the most")
        seeds = list(range(int(found[1]), int(found[2]) + 1))
    if seeds is None:
        raise wrong(f"{shown(value)} is no seed: write one such as 7, a list such as [1, 5], or a range such as 0..9")
    return seeds


class Occurrence(NamedTuple):
    """Something that main learns of, such as ``b starts``; kind: job, ping, lost or phase.

    :ivar pattern: of the names of jobs, the number of the rank, or the name of the phase.
    :ivar statuses: those that the job may then have.
    """

    text: str
    kind: str
    pattern: str
    statuses: tuple[str, ...] = ()


#: What a job does, in words, with the statuses that it then takes.
VERBS: dict[str, tuple[str, ...]] = {
    "is queued": ("queued",),
    "starts": ("running",),
    "ends": ("success", "failed", "cancelled", "aborted"),
    "succeeds": ("success",),
    "fails": ("failed",),
    "is cancelled": ("cancelled",),
    "is aborted": ("aborted",),
}
_VERB = re.compile(rf"(.+?)\s+({'|'.join(VERBS)})$")
_LOST = re.compile(r"rank (\d{1,5}) is lost$", re.ASCII)
_PHASE = re.compile(r"phase (.+) begins$")


def read_occurrence(value: Any) -> Occurrence:
    """``b starts``, as an `Occurrence`."""
    text = value.strip() if isinstance(value, str) else ""
    if text == "ping":
        return Occurrence(text, "ping", "")
    if found := _LOST.match(text):
        return Occurrence(text, "lost", found[1])
    if found := _PHASE.match(text):
        return Occurrence(text, "phase", found[1])
    if found := _VERB.match(text):
        return Occurrence(text, "job", found[1], VERBS[found[2]])
    raise wrong(
        f"{shown(value)} is no event: write a job and what it does, such as 'b starts' "
        f"({', '.join(VERBS)}), or 'ping', 'rank 2 is lost', 'phase b begins'"
    )


_FREEING = re.compile(r"(\S+)\s+(?:before (.+)|(at the end))$")


class Freeing(NamedTuple):
    """An item that a rank frees, and the job before which; None: at the end."""

    text: str
    item: str
    before: str | None


def _read_freeing(value: Any) -> Freeing:
    found = _FREEING.match(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise wrong(
            f"{shown(value)} says not what is freed and when: write 'golgi.load before b' or 'golgi.load at the end'"
        )
    return Freeing(value.strip(), found[1], found[2])


class Raised(NamedTuple):
    """An exception to raise: a built-in class by its name, and a message."""

    name: str
    message: str

    def make(self) -> BaseException:
        """The exception."""
        kind: type[BaseException] = getattr(builtins, self.name)
        return kind(self.message) if self.message else kind()


_EXCEPTIONS = [n for n, v in vars(builtins).items() if isinstance(v, type) and issubclass(v, BaseException)]


def _read_raised(value: Any) -> Raised:
    text = (
        "write it such as 'ValueError: corrupt morphology', in quotes, or as a mapping ValueError: corrupt morphology"
    )
    if isinstance(value, dict) and len(value) == 1:
        ((name, message),) = value.items()
    elif isinstance(value, str):
        name, _, message = value.partition(":")
    else:
        raise wrong(f"{shown(value)} is no exception: {text}")
    name, message = str(name).strip(), "" if message is None else str(message).strip()
    if name not in _EXCEPTIONS:
        near = difflib.get_close_matches(name, _EXCEPTIONS, n=1)
        hint = f"the nearest one is {near[0]}" if near else text
        raise wrong(f"{shown(name)} is no exception that Python has built in: {hint}")
    raised = Raised(name, message)
    try:
        raised.make()
    except TypeError as error:
        raise wrong(f"{name} can't be made from a message alone ({error}): take another, such as ValueError") from None
    return raised


def _distribution(value: Any) -> dict[str, Any]:
    kinds = {"uniform": 2, "normal": 2, "exponential": 1}
    if len(value) != 1 or next(iter(value)) not in kinds:
        raise wrong("a random duration is one of uniform: [1s, 2s], normal: [1s, 200ms] and exponential: 1s")
    ((kind, numbers),) = value.items()
    if kinds[kind] == 2:
        if not isinstance(numbers, list) or len(numbers) != 2:
            says = "the least and the most" if kind == "uniform" else "the mean and the standard deviation"
            raise wrong(f"{kind} takes two durations, {says}, such as [1s, 200ms]")
        first, second = (read_duration(each) for each in numbers)
        if kind == "uniform" and first > second:
            raise wrong("uniform takes the least duration first, then the most, such as [1s, 2s]")
        return {"kind": kind, "numbers": (first, second)}
    return {"kind": kind, "numbers": (read_duration(numbers),)}


class Takes(NamedTuple):
    """How long something takes: nanoseconds, or a distribution of them."""

    kind: str
    numbers: tuple[int, ...]

    def draw(self, random: Callable[[], Random]) -> int:
        """Nanoseconds; `random` gives the stream to draw from, if there is anything to draw."""
        if self.kind == "fixed":
            return self.numbers[0]
        stream = random()
        if self.kind == "uniform":
            return round(stream.uniform(*self.numbers))
        if self.kind == "normal":
            return max(0, round(stream.gauss(*self.numbers)))
        return round(stream.expovariate(1 / self.numbers[0])) if self.numbers[0] else 0


def _read_takes(value: Any) -> Takes:
    if isinstance(value, dict):
        return Takes(**_distribution(value))
    return Takes("fixed", (read_duration(value),))


class Bounds(NamedTuple):
    """From the least to the most, both included; None: no bound."""

    least: int | None
    most: int | None

    def hold(self, value: int) -> bool:
        """Whether the value is within."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


def _bounds(value: dict[Any, Any], read: Callable[[Any], int]) -> Bounds:
    unknown = [key for key in value if key not in ("at_least", "at_most")]
    if unknown or not value:
        raise wrong("bounds are at_least and at_most, one of them or both")
    least, most = (read(value[key]) if key in value else None for key in ("at_least", "at_most"))
    if least is not None and most is not None and least > most:
        raise wrong("at_least is more than at_most: nothing is between them")
    return Bounds(least, most)


def _read_elapsed(value: Any) -> Bounds:
    if isinstance(value, dict):
        return _bounds(value, read_duration)
    exact = read_duration(value)
    return Bounds(exact, exact)


def _count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise wrong(f"{shown(value)} is no number of them: write a whole number from 0 on")


def _read_count(value: Any) -> Bounds:
    if isinstance(value, dict):
        return _bounds(value, _count)
    exact = _count(value)
    return Bounds(exact, exact)


def _read_pings(value: Any) -> Bounds | tuple[int, ...]:
    if isinstance(value, list):
        return tuple(read_duration(each) for each in value)
    return _read_count(value)


def _read_where(value: Any) -> list[int]:
    ranks = value if isinstance(value, list) and value else [value]
    if not all(isinstance(r, int) and not isinstance(r, bool) and r >= 0 for r in ranks):
        raise wrong(f"{shown(value)} is no rank: write its number, such as 2, or a list of those that are right")
    return ranks


def _read_patterns(value: Any) -> list[str]:
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(n, str) and n for n in names):
        raise wrong(
            f"{shown(value)} is no name: write one, a pattern with * and ?, or a list of them; "
            "names that are numbers go in quotes"
        )
    return names


def _read_listeners_error(value: Any) -> dict[Occurrence, Raised]:
    if not isinstance(value, dict):
        raise wrong(f"{shown(value)} says not when and what: write such as {{b starts: 'ValueError: no'}}")
    return {read_occurrence(key): _read_raised(each) for key, each in value.items()}


_TEXT_DURATION = {"type": "string", "pattern": DURATION_PATTERN}
_WHOLE = {"type": "integer", "minimum": 0}
_PATTERNS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_CONDITION = {"type": "string", "pattern": rf"^.+ ({'|'.join(VERBS)})$"}
_RAISED = {
    "anyOf": [
        {"type": "string", "pattern": r"^[A-Za-z]+(:.*)?$"},
        {"type": "object", "minProperties": 1, "maxProperties": 1},
    ]
}


def _two(kind: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": kind, "minItems": 2, "maxItems": 2}


def _either(kind: dict[str, Any]) -> dict[str, Any]:
    bounds = {"type": "object", "properties": {"at_least": kind, "at_most": kind}, "additionalProperties": False}
    return {"anyOf": [kind, bounds]}


Duration = Annotated[int, PlainValidator(read_duration), WithJsonSchema(_TEXT_DURATION)]
Rate = Annotated[
    float,
    PlainValidator(read_rate),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*(B|kB|MB|GB)/s$"}),
]
Seeds = Annotated[
    list[int],
    PlainValidator(_read_seeds),
    WithJsonSchema(
        {"anyOf": [_WHOLE, {"type": "array", "items": _WHOLE}, {"type": "string", "pattern": r"^[0-9]+\.\.[0-9]+$"}]}
    ),
]
Happens = Annotated[
    Occurrence,
    PlainValidator(read_occurrence),
    WithJsonSchema(
        {
            "anyOf": [
                _CONDITION,
                {"const": "ping"},
                {"type": "string", "pattern": r"^rank [0-9]+ is lost$"},
                {"type": "string", "pattern": "^phase .+ begins$"},
            ]
        }
    ),
]
Frees = Annotated[
    Freeing,
    PlainValidator(_read_freeing),
    WithJsonSchema({"type": "string", "pattern": r"^\S+ (before .+|at the end)$"}),
]
Raises = Annotated[Raised, PlainValidator(_read_raised), WithJsonSchema(_RAISED)]
ListenerRaises = Annotated[
    dict[Occurrence, Raised],
    PlainValidator(_read_listeners_error),
    WithJsonSchema({"type": "object", "additionalProperties": _RAISED}),
]
Time = Annotated[
    Takes,
    PlainValidator(_read_takes),
    WithJsonSchema(
        {
            "anyOf": [
                _TEXT_DURATION,
                *(
                    {"type": "object", "properties": {kind: each}, "required": [kind], "additionalProperties": False}
                    for kind, each in (
                        ("uniform", _two(_TEXT_DURATION)),
                        ("normal", _two(_TEXT_DURATION)),
                        ("exponential", _TEXT_DURATION),
                    )
                ),
            ]
        }
    ),
]
Elapsed = Annotated[Bounds, PlainValidator(_read_elapsed), WithJsonSchema(_either(_TEXT_DURATION))]
Count = Annotated[Bounds, PlainValidator(_read_count), WithJsonSchema(_either(_WHOLE))]
Pings = Annotated[
    Bounds | tuple[int, ...],
    PlainValidator(_read_pings),
    WithJsonSchema({"anyOf": [*_either(_WHOLE)["anyOf"], {"type": "array", "items": _TEXT_DURATION}]}),
]
Where = Annotated[
    list[int],
    PlainValidator(_read_where),
    WithJsonSchema({"anyOf": [_WHOLE, {"type": "array", "items": _WHOLE, "minItems": 1}]}),
]
Patterns = Annotated[list[str], PlainValidator(_read_patterns), WithJsonSchema(_PATTERNS)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Rank = Annotated[int, Field(ge=0)]
Factor = Annotated[float, Field(gt=0, le=1e6)]

Status = Literal["pending", "queued", "running", "success", "failed", "cancelled", "aborted", "not queued"]


# -- the parts -----------------------------------------------------------------------------------------


class Part(BaseModel):
    """A mapping of the language."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=False)


class Listener(Part):
    """Somebody on main who is told of all that happens."""

    name: Name = Field("listener", description="What it is called, for events that are about it.")
    max_wait: Duration | None = Field(None, description="It wants a ping when nothing happened for so long.")
    handles: Patterns = Field([], description="Jobs whose failures it handles: those are no errors of the pool.")
    raises: ListenerRaises = Field(
        {}, description="What it raises, and when it is told of what: {b starts: 'ValueError: no'}."
    )


class Pool(Part):
    """Options of the pool."""

    fail_fast: bool = Field(False, description="Stop at the first error that no listener handles.")
    job_timeout: Duration | None = Field(None, description="How long each job may run, if nothing else is said of it.")
    retries: int = Field(
        0, ge=0, le=1000, description="So many times a job that is lost with its rank runs again, elsewhere."
    )
    listeners: list[Listener] = Field([], description="Who is told of all that happens, on main.")


class Strategy(Part):
    """A node of the program: what placement and connectivity jobs belong to."""

    cached: list[Name] = Field(
        [], description="Its pool-cached methods. Each job of the strategy requires and calls all of them."
    )


class Job(Part):
    """A job, or several of them with an index."""

    name: Name = Field(description="Its name; with repeat it holds {i}, which is the index, from 0.")
    repeat: int | None = Field(None, ge=1, le=MOST_JOBS, description="So many of them.")
    kind: Literal["function", "placement", "connectivity"] = Field("function", description="What kind of job.")
    strategy: Name | None = Field(
        None, description="Whose job it is: needed by placement and connectivity jobs, possible for function jobs."
    )
    context: dict[str, Any] = Field(
        {}, description="What is worth saying of it; texts may hold {i}. Function jobs only."
    )
    after: Patterns = Field([], description="Jobs that must succeed first: names, patterns; they may hold {i}.")
    caches: Patterns = Field(
        [],
        description="Cached items that it requires and calls: 'golgi.load', or 'golgi' for all of them. "
        "A job with a strategy has those of the strategy anyway.",
    )
    takes: Time = Field(Takes("fixed", (0,)), description="How long it takes; 0s by default.")
    timeout: Duration | None = Field(None, description="How long it may run; then it is interrupted.")
    phase: Name | None = Field(
        None, description="The phase of the workflow in which it is queued; the first by default."
    )
    returns: Any = Field(None, description="What it returns; a text may hold {i}.")
    raises: Raises | None = Field(None, description="What it raises when its time is over: 'ValueError: text'.")
    hangs: bool = Field(False, description="It never ends.")
    uninterruptible: bool = Field(
        False, description="It runs on when it is interrupted, as code that is not Python may."
    )
    kills: bool = Field(False, description="It ends its rank when its time is over, as kill -9 would.")
    unpicklable: bool = Field(False, description="It returns what can't be pickled.")
    returns_bytes: int | None = Field(
        None, ge=0, le=100_000_000, description="It returns so many bytes; large ones travel beside its message."
    )


class Scheduler(Part):
    """A node that queues jobs while the pool executes. Nodes are scheduled one after the other."""

    name: Name = Field(description="Its name.")
    depends_on: list[Name] = Field([], description="Nodes that must have been scheduled, or it isn't.")
    phase: Name | None = Field(None, description="The phase of the workflow; the first by default.")
    at: Duration | None = Field(None, description="It begins at this time, if it isn't later already.")
    takes: Duration = Field(0, description="It computes for so long, then queues its jobs.")
    jobs: list[Job] = Field([], description="The jobs that it queues.")
    every: Duration = Field(0, description="The time between one of its jobs and the next.")
    cancels: Patterns = Field([], description="Jobs that it cancels after that.")
    raises: Raises | None = Field(None, description="What it raises in the end.")


class Pause(Part):
    """A rank on which nothing goes on for a while."""

    rank: Rank = Field(description="Which rank.")
    length: Duration = Field(alias="for", description="For how long.")


class Slow(Part):
    """A rank that becomes slower."""

    rank: Rank = Field(description="Which rank.")
    by: Factor = Field(description="By which factor its jobs take longer; 1 is its normal speed.")


class Delay(Part):
    """A link that becomes slower."""

    source: Rank = Field(alias="from", description="Messages from this rank,")
    to: Rank = Field(description="to that one,")
    by: Duration = Field(description="take so much longer.")


class Event(Part):
    """Something that goes wrong, or that somebody does. It happens once."""

    at: Duration | None = Field(None, description="At this time,")
    when: Happens | None = Field(
        None,
        description="or when main learns this for the first time: 'b starts', 'ping', 'rank 2 is lost', "
        "'phase b begins'. A listener is told of jobs and pings only.",
    )
    cancel: Patterns | None = Field(None, description="Cancel these jobs.")
    reason: Name | None = Field(None, description="The reason that cancel gives.")
    by: Name | None = Field(
        None,
        description="The listener that does it: raises, cancels, queues, sets or runs. By default a task of main's "
        "own does it, and the first listener raises.",
    )
    interrupt: Literal["main"] | None = Field(None, description="Interrupt main, as Ctrl-C would.")
    raises: Raises | None = Field(
        None, alias="raise", description="Raise this in a listener, when it is told of the next thing."
    )
    queue: list[Job] | None = Field(None, description="Queue these jobs.")
    set_status: dict[Name, Literal["queued", "running", "success", "failed", "cancelled", "aborted"]] | None = Field(
        None, alias="set", description="Set the status of jobs by hand: {b: success}."
    )
    run: Name | None = Field(None, description="Run this job by hand, on main's rank.")
    kill: Rank | None = Field(None, description="End this rank, as kill -9 would.")
    kill_rank_of: Name | None = Field(None, description="End the rank that runs this job, as kill -9 would.")
    pause: Pause | None = Field(None, description="Nothing goes on on a rank for a while; messages to it still arrive.")
    slow: Slow | None = Field(None, description="Make a rank slower, from its next job on.")
    delay: Delay | None = Field(None, description="Make a link slower, from the next message on.")


class Expect(Part):
    """What must come of it. That no rank is left waiting, and what the invariants say, is expected anyway."""

    outcome: Name | None = Field(
        None,
        description="How main leaves execute(): ok, error (a WorkflowError), or the name of what it raised; or "
        "deadlock, horizon, died. By default what errors and deadlock say, else ok.",
    )
    errors: dict[Name, str] | None = Field(
        None,
        description="All errors of the WorkflowErrors, no more and no less: by job (a pattern: all those jobs), "
        "scheduler, or 'pool', a pattern of 'ValueError: text'.",
    )
    statuses: dict[Name, Status] = Field({}, description="What jobs are in the end, by name or pattern.")
    counts: dict[Status, Count] = Field({}, description="How many jobs are what in the end.")
    results: dict[Name, Any] = Field({}, description="What jobs returned, by name or pattern.")
    order: list[Happens] = Field([], description="Events in the order in which main must learn of them.")
    pings: Pings | None = Field(None, description="How many pings, exactly or within bounds; or when.")
    elapsed: Elapsed | None = Field(None, description="Virtual time until the last rank has left.")
    ran_on: dict[Name, Where] = Field({}, description="Which rank ran which job; a list: one of these.")
    freed: dict[Rank, list[Frees]] = Field(
        {},
        description="What a rank frees, and before which job, in order: [golgi.load before b, golgi.tree at the end]; "
        "the end is that of a pool.",
    )
    loaded: dict[Name, Count] = Field({}, description="How often a cached method computed, on all ranks together.")
    peak_cached: Count | None = Field(None, description="The most cached items that any one rank held at a time.")
    cancels_refused: Count | None = Field(None, description="How many attempts to cancel came too late.")
    others: Literal["none"] | None = Field(
        None,
        description="none: nothing else happened. Each job must be among the statuses; there are no pings, lost "
        "ranks or refused cancellations but those that are expected.",
    )
    deadlock: str | None = Field(None, description="Ranks wait for ever, and the report holds this (a pattern).")


class Model(Part):
    """A scenario: what a cluster, a pool and its jobs are, what goes wrong when, and what must come of it."""

    scenario: Name = Field(description="What it shows, in a sentence.")
    about: str | None = Field(None, description="More about it, for readers.")
    ranks: int = Field(ge=1, le=MOST_RANKS, description="How many ranks; rank 0 is main. 1: main runs the jobs itself.")
    latency: Duration = Field(0, description="What each message takes.")
    bandwidth: Rate | None = Field(None, description="Of each link, such as 100MB/s; unlimited by default.")
    seeds: Seeds = Field(
        [0],
        description="Of all chance. With several all must hold, and what happens at one instant happens in an "
        "order drawn from the seed: 7, [1, 5] or 0..9.",
    )
    policy: Literal["in order"] | None = Field(
        None,
        description="in order: it is about the default order, and what happens at one instant happens in the order "
        "in which it was scheduled, with every seed.",
    )
    slow: dict[Rank, Factor] = Field({}, description="Factors by which the jobs of ranks take longer.")
    horizon: Duration = Field(HORIZON, description="Virtual time after which it is given up; 24h by default.")
    pool: Pool = Field(
        default_factory=lambda: Pool.model_validate({}), description="Its options, and who listens to it."
    )
    workflow: list[Name] = Field(
        [], description="Phases. Each has a pool of its own; the first that fails is the last."
    )
    strategies: dict[Name, Strategy] = Field({}, description="The nodes that jobs belong to, by name.")
    recording: Name | None = Field(
        None,
        description="The recording of a real run, by its path from this file: its jobs, named such as "
        "'{root}.placement.golgi 7', with the times that they took and the errors that they raised. Each of its "
        "pools is a phase of the workflow.",
    )
    jobs: list[Job] = Field([], description="The jobs that main queues before it executes the pool.")
    schedulers: list[Scheduler] = Field([], description="Nodes that queue jobs while the pool executes.")
    events: list[Event] = Field([], description="What goes wrong, and what somebody does.")
    expect: Expect = Field(description="What must come of it.")


#: What an event may do; one of them.
ACTIONS = (
    "cancel", "interrupt", "raises", "queue", "set_status", "run", "kill", "kill_rank_of", "pause", "slow", "delay",
)  # fmt: skip
#: Those that a listener can do, or a task of main's.
BY_SOMEBODY = ("cancel", "queue", "set_status", "run")


def schema() -> dict[str, Any]:
    """Make the JSON Schema of scenario files.

    :returns: the schema, as data for `json`.

    >>> from bsbpool_sim.scenario import schema
    >>> schema()["title"]
    'A bsbpool scenario'
    """
    made = Model.model_json_schema(by_alias=True)
    _tidy(made)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "A bsbpool scenario",
    }


def _tidy(node: Any) -> None:
    """Leave out titles, which repeat names."""
    if isinstance(node, dict):
        for key, value in list(node.items()):
            if key == "title" and isinstance(value, str):
                del node[key]
            else:
                _tidy(value)
    elif isinstance(node, list):
        for each in node:
            _tidy(each)


def schema_text() -> str:
    """Make the text of `schema.json`.

    :returns: the schema as JSON, with a line end.

    >>> from bsbpool_sim.scenario import schema_text
    >>> schema_text().startswith("{")
    True
    """
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
