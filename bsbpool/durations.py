"""Reads and writes durations as text.

`read_duration` reads durations of options and scenario files. `duration` is short, for tables; `exact_duration` has all
digits, for comparing; `rough_duration` is for progress; `written_duration` is for files that `read_duration` reads. The
page of a trace has `duration` in JavaScript.
"""

from __future__ import annotations

import re

__all__ = [
    "DURATION_PATTERN",
    "UNITS",
    "duration",
    "exact_duration",
    "read_duration",
    "rough_duration",
    "unit_of",
    "written_duration",
]

#: Nanoseconds of each unit, by its name.
UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
_SECOND = UNITS["s"]
_LISTED = ", ".join(unit for unit in UNITS if unit != "µs")

_NUMBER = r"([0-9]{1,18}(\.[0-9]{0,9})?|\.[0-9]{1,9})([eE][-+]?[0-9]{1,2})?"
#: The syntax of a duration, as a regular expression that is valid in JavaScript too.
DURATION_PATTERN = rf"^\s*{_NUMBER}\s*(ns|us|µs|ms|s|min|h)\s*$"
_DURATION = re.compile(rf"({_NUMBER})\s*([a-zA-Zµμ]*)$", re.ASCII)
#: Nanoseconds of the longest duration that is read: 100 years, which integers of 64 bits hold.
_LONGEST = 100 * 365 * 24 * UNITS["h"]

#: Units that people write, in lower case, and what they mean.
_MEANT = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("msec", "msecs", "millis", "milliseconds", "millisecond"), "ms"),
    **dict.fromkeys(("usec", "usecs", "micros", "microseconds", "microsecond"), "us"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("nsec", "nanoseconds", "nanosecond"), "ns"),
    "s": "s",
    "d": None, "day": None, "days": None,
}  # fmt: skip


def read_duration(text: str, shown: str | None = None) -> int:
    """Read a duration: a number with a unit, such as ``500ms`` or ``.5 s``.

    :param shown: how it is shown in an error; by default unchanged.
    :returns: nanoseconds.
    :raises ValueError: it is not a duration; the message says what would be right.
    """
    shown = repr(text) if shown is None else shown
    right = f"write a number with a unit, such as 500ms (units: {_LISTED})"
    found = _DURATION.match(text.strip())
    if found is None or not found[5]:
        raise ValueError(f"{shown} is no duration: {right}")
    number, unit = found[1], found[5].replace("\u03bc", "µ")  # the Greek letter, for the sign
    if unit not in UNITS:
        meant = _MEANT.get(unit.lower())
        hint = f"write {number}{meant}" if meant else "write it with one of these"
        raise ValueError(f"{found[5]!r} is no unit of time: {hint} (units: {_LISTED})")
    from decimal import Decimal  # here, and not with `import bsbpool`

    ns = int(Decimal(number) * UNITS[unit])
    if ns > _LONGEST:
        raise ValueError(f"{shown} is longer than 100 years: {right}")
    return ns


def unit_of(seconds: float) -> tuple[float, str]:
    """Return the size in seconds, and the name, of the largest unit up to seconds that a duration reaches."""
    return next(((size, unit) for size, unit in _SHOWN if seconds >= size), _SHOWN[-1])


_SHOWN = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def duration(seconds: float) -> str:
    """Write seconds with at least three digits and a unit: ``5.40 s``, ``82.3 ms``."""
    if seconds == 0:
        return "0 s"
    size, unit = unit_of(seconds)
    value = seconds / size
    digits = 2 if value < 9.995 else 1 if value < 999.95 else 0
    return f"{value:,.{digits}f} {unit}"


def exact_duration(ns: int) -> str:
    """Write nanoseconds in seconds, with all digits: ``1.5 s``."""
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    whole, rest = divmod(ns, _SECOND)
    return f"{sign}{whole}{f'.{rest:09}'.rstrip('0') if rest else ''} s"


def rough_duration(seconds: float) -> str:
    """Write seconds roughly: ``40 ms``, ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds < 0.0995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min"


def written_duration(ns: int) -> str:
    """Write nanoseconds so that `read_duration` reads them, in the largest unit with a short number: ``1.5s``."""
    if ns <= 0:  # below: times of a trace that go backwards
        return "0s"
    from decimal import Decimal

    for unit in ("h", "min", "s", "ms", "us"):
        number = Decimal(ns) / UNITS[unit]
        if number >= 1 and len(text := f"{number.normalize():f}") <= 6:
            return text + unit
    if ns >= 10**15:  # no number of a scenario is longer
        return f"{round(ns / _SECOND)}s"
    return f"{ns}ns" if ns < 1000 or ns % 1000 else f"{ns // 1000}us"
