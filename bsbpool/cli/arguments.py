"""Arguments and options that several commands take: numbers of ranks, times, scenario files.

Programs as arguments belong in `programs`, and files that are written in `outputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bsbpool.durations import read_duration
from bsbpool.sizes import MOST_RANKS

#: By how much times can be multiplied.
LARGEST_FACTOR = 1e6


def numbers_of_ranks(text: str) -> tuple[int, ...]:
    """``"4"`` or ``"2,4,16,128"``, as sorted numbers."""
    numbers: dict[int, None] = {}
    for part in text.split(","):
        number = part.strip()
        if not (number.isascii() and number.isdigit() and len(number) < 10 and 1 <= int(number) <= MOST_RANKS):
            raise click.BadParameter(
                f"{number!r} is no number of ranks: give one from 1 to {MOST_RANKS}, such as 4, or several, "
                "such as 2,4,16,128"
            )
        numbers[int(number)] = None
    return tuple(sorted(numbers))


def time_with_unit(text: str) -> float:
    """``"50us"``, as seconds."""
    if text.strip() == "0":
        return 0.0
    try:
        return read_duration(text) / 1e9
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def given(parameter: str) -> bool:
    """Whether an option of the command that runs stands on its command line, whatever its value."""
    return click.get_current_context().get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE


def time_above_zero(text: str) -> float:
    """``"60s"``, as seconds; no time at all is refused."""
    seconds = time_with_unit(text)
    if not seconds > 0:
        raise click.BadParameter(f"{text!r} is no time to do anything in: give one above 0, such as 10s")
    return seconds


def factor(text: str) -> float:
    """``"1.5"``, as a factor of times: from 0 to a million, with which a microsecond becomes a second."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= LARGEST_FACTOR:
        raise click.BadParameter(
            f"{text!r} is no factor: give a number from 0 to {LARGEST_FACTOR:,.0f}, such as 1 or 2.5"
        )
    return number


def set_of_ranks(text: str) -> tuple[int, ...]:
    """``"1-3,5"``, as the ranks that it names."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = (each.strip() for each in part.partition("-"))
        ends = [first, last] if dash else [first]
        if not all(end.isascii() and end.isdigit() and len(end) < 10 and int(end) < MOST_RANKS for end in ends):
            raise click.BadParameter(f"{text!r} names no ranks; 1-3 does, or 1,2,5")
        if dash and int(last) < int(first):
            raise click.BadParameter(
                f"{part.strip()!r} names no rank, since {last} is below {first}: write {last}-{first}"
            )
        found += range(int(first), int(ends[-1]) + 1)
    return tuple(found)


def scenario_files(files: Sequence[str]) -> list[str]:
    """The scenario files among these, and in those that are folders; empty if there is no scenario.

    :raises click.UsageError: some are scenarios and some are not.
    """
    found: list[str] = []
    others: list[str] = []
    for file in files:
        if Path(file).is_dir():
            within = sorted(str(p) for p in Path(file).rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
            if not within:
                raise click.UsageError(f"{file} has no scenario in it: those are files that end in .yaml")
            found += within
        elif Path(file).suffix in (".yaml", ".yml"):
            found.append(file)
        else:
            others.append(file)
    if found and others:
        raise click.UsageError(f"{others[0]} is no scenario (.yaml), while others are: run it on its own")
    return found
