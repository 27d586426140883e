"""Arguments and options that several commands take: numbers of ranks, times, scenario files.

Programs as arguments belong in `programs`, and files that are written in `outputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bsbpool.durations import read_duration
from bsbpool.sizes import MOST_RANKS


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
