"""Values of scenario files that are written as text: durations, rates, patterns, errors, events.

Each is read here, with the error message for invalid text. The type of each value, for the keys of `model`, has the
JSON Schema of the valid texts.
"""

from __future__ import annotations

import builtins
import difflib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from bsbpool import durations
from bsbpool.durations import DURATION_PATTERN, UNITS

from ..random_streams import Random

#: Seeds of one scenario, at the most.
MOST_SEEDS = 10_000
#: The largest of them.
LARGEST_SEED = 999_999_999

T = TypeVar("T")


def wrong(message: str) -> PydanticCustomError:
    """Return an error of this language, with this message."""
    return PydanticCustomError("scenario", "{message}", {"message": message})


def shown_yaml(value: Any) -> str:
    """Return a value as YAML writes it, cut if it is long, for an error message."""
    if value is None:
        return "nothing"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


_RATES = {"B/s": 1, "kB/s": 10**3, "MB/s": 10**6, "GB/s": 10**9}
_RATE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(B/s|kB/s|MB/s|GB/s)$", re.ASCII)
_RANGE = re.compile(r"(\d{1,30})\s*\.\.\s*(\d{1,30})$", re.ASCII)


def duration_value(value: Any) -> int:
    """Return the nanoseconds of a duration such as ``500ms``."""
    units = ", ".join(unit for unit in UNITS if unit != "µs")
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise wrong(f"{value} has no unit: write {value}s if seconds are meant (units: {units})")
    if not isinstance(value, str):
        raise wrong(f"{shown_yaml(value)} is no duration: write a number with a unit, such as 500ms (units: {units})")
    try:
        return durations.read_duration(value, shown_yaml(value))
    except ValueError as error:
        raise wrong(str(error)) from None


def read_rate(value: Any) -> float:
    """Return the bytes per second of a rate such as ``100MB/s``."""
    found = _RATE.match(value.strip()) if isinstance(value, str) else None
    if found is None or not Decimal(found[1]):
        raise wrong(
            f"{shown_yaml(value)} is no bandwidth: write a number above 0 with a unit, such as 100MB/s "
            f"(units: {', '.join(_RATES)})"
        )
    return float(Decimal(found[1]) * _RATES[found[2]])


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_SEED


def _read_seeds(value: Any) -> list[int]:
    seeds: list[int] | None = None
    if _is_seed(value):
        seeds = [value]
    elif isinstance(value, list) and value and all(map(_is_seed, value)):
        seeds = list(dict.fromkeys(value))
    elif isinstance(value, str) and (found := _RANGE.match(value.strip())) and int(found[1]) <= int(found[2]):
        if int(found[2]) - int(found[1]) >= MOST_SEEDS:
            raise wrong(f"{value} are too many seeds: give {MOST_SEEDS} at the most")
        if int(found[2]) > LARGEST_SEED:
            raise wrong(f"{value} are too large for seeds: give some up to {LARGEST_SEED}")
        seeds = list(range(int(found[1]), int(found[2]) + 1))
    if seeds is None:
        raise wrong(
            f"{shown_yaml(value)} is no seed: write one such as 7, a list such as [1, 5], or a range such as 0..9"
        )
    return seeds


class Occurrence(NamedTuple):
    """Something that main learns, such as ``b starts``; kind: job, ping, lost or phase.

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
_LOST = re.compile(r"rank (\d{1,5}) is lost$", re.ASCII)
_PHASE = re.compile(r"phase (.+) begins$")


def read_occurrence(value: Any) -> Occurrence:
    """Read an `Occurrence` such as ``b starts``."""
    text = value.strip() if isinstance(value, str) else ""
    if text == "ping":
        return Occurrence(text, "ping", "")
    if found := _LOST.match(text):
        return Occurrence(text, "lost", found[1])
    if found := _PHASE.match(text):
        return Occurrence(text, "phase", found[1])
    for verb, statuses in VERBS.items():
        subject = text.removesuffix(verb)
        if subject != text and subject[-1:].isspace():
            return Occurrence(text, "job", subject.rstrip(), statuses)
    raise wrong(
        f"{shown_yaml(value)} is no event: write a job and what it does, such as 'b starts' "
        f"({', '.join(VERBS)}), or 'ping', 'rank 2 is lost', 'phase b begins'"
    )


_FREEING = re.compile(r"(\S+)\s+(?:before (.+)|(at the end))$")


class Freeing(NamedTuple):
    """An item that a rank frees, and the job before which it does; None: at the end."""

    text: str
    item: str
    before: str | None


def _read_freeing(value: Any) -> Freeing:
    found = _FREEING.match(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise wrong(
            f"{shown_yaml(value)} says not what is freed and when: write 'golgi.load before b' or "
            "'golgi.load at the end'"
        )
    return Freeing(value.strip(), found[1], found[2])


class ErrorToRaise(NamedTuple):
    """An exception to raise: a built-in class by its name, and a message."""

    name: str
    message: str

    def make(self) -> BaseException:
        """Make the exception."""
        kind: type[BaseException] = getattr(builtins, self.name)
        return kind(self.message) if self.message else kind()


_EXCEPTIONS = [n for n, v in vars(builtins).items() if isinstance(v, type) and issubclass(v, BaseException)]


def _read_raised(value: Any) -> ErrorToRaise:
    text = (
        "write it such as 'ValueError: corrupt morphology', in quotes, or as a mapping ValueError: corrupt morphology"
    )
    if isinstance(value, dict) and len(value) == 1:
        ((name, message),) = value.items()
    elif isinstance(value, str):
        name, _, message = value.partition(":")
    else:
        raise wrong(f"{shown_yaml(value)} is no exception: {text}")
    name, message = str(name).strip(), "" if message is None else str(message).strip()
    if name not in _EXCEPTIONS:
        near = difflib.get_close_matches(name, _EXCEPTIONS, n=1)
        hint = f"the nearest one is {near[0]}" if near else text
        raise wrong(f"{shown_yaml(name)} is no exception that Python has built in: {hint}")
    raised = ErrorToRaise(name, message)
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
        first, second = (duration_value(each) for each in numbers)
        if kind == "uniform" and first > second:
            raise wrong("uniform takes the least duration first, then the most, such as [1s, 2s]")
        return {"kind": kind, "numbers": (first, second)}
    return {"kind": kind, "numbers": (duration_value(numbers),)}


class Takes(NamedTuple):
    """A duration in nanoseconds, or a distribution of durations."""

    kind: str
    numbers: tuple[int, ...]

    def draw(self, random: Callable[[], Random]) -> int:
        """Return nanoseconds; `random` returns the stream to draw from, if anything has to be drawn."""
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
    return Takes("fixed", (duration_value(value),))


class Bounds(NamedTuple):
    """A range from the least to the most, both included; None: no bound."""

    least: int | None
    most: int | None

    def hold(self, value: int) -> bool:
        """Return whether a value is in the range."""
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
        return _bounds(value, duration_value)
    exact = duration_value(value)
    return Bounds(exact, exact)


def _count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise wrong(f"{shown_yaml(value)} is no number of them: write a whole number from 0 on")


def _read_count(value: Any) -> Bounds:
    if isinstance(value, dict):
        return _bounds(value, _count)
    exact = _count(value)
    return Bounds(exact, exact)


def _read_pings(value: Any) -> Bounds | tuple[int, ...]:
    if isinstance(value, list):
        return tuple(duration_value(each) for each in value)
    return _read_count(value)


def _read_where(value: Any) -> list[int]:
    ranks = value if isinstance(value, list) and value else [value]
    if not all(isinstance(r, int) and not isinstance(r, bool) and r >= 0 for r in ranks):
        raise wrong(f"{shown_yaml(value)} is no rank: write its number, such as 2, or a list of those that are right")
    return ranks


def _read_patterns(value: Any) -> list[str]:
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(n, str) and n for n in names):
        raise wrong(
            f"{shown_yaml(value)} is no name: write one, a pattern with * and ?, or a list of them; "
            "names that are numbers go in quotes"
        )
    return names


def _read_listeners_error(value: Any) -> dict[Occurrence, ErrorToRaise]:
    if not isinstance(value, dict):
        raise wrong(f"{shown_yaml(value)} says not when and what: write such as {{b starts: 'ValueError: no'}}")
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


Duration = Annotated[int, PlainValidator(duration_value), WithJsonSchema(_TEXT_DURATION)]
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
Raises = Annotated[ErrorToRaise, PlainValidator(_read_raised), WithJsonSchema(_RAISED)]
ListenerRaises = Annotated[
    dict[Occurrence, ErrorToRaise],
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
RankNumber = Annotated[int, Field(ge=0)]
Factor = Annotated[float, Field(gt=0, le=1e6)]

StatusName = Literal["pending", "queued", "running", "success", "failed", "cancelled", "aborted", "not queued"]
