"""Output of an exploration: its findings as data, and a test that fails until they are fixed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..checks.audit import KINDS
from .delays import said, script
from .exploration import Exploration
from .findings import Finding, RankPlace
from .nearest_run import TwoRuns
from .side_by_side import lines_of_two


def again(finding: Finding, program: Sequence[str]) -> str:
    """Return the command that shows a finding again.

    :param program: the options of the command that name the program, and the program with its arguments.
    """
    if finding.unusual is not None:
        return shlex.join(["bsbpool", "explore", "--schedules", "1", *program])
    how = ["--late-matching"] if finding.late else []
    if finding.eager_limit is not None:
        how += ["--eager-limit", str(finding.eager_limit)]
    if finding.kind in KINDS:
        how += ["--check", finding.kind]
    return shlex.join(["bsbpool", "simulate", *how, "--tape", str(finding.tape), *program])


def lines_of(
    finding: Finding, again: Callable[[Finding], str], width: int = 120, *, runs: bool = True
) -> Iterator[tuple[int, str]]:
    """A finding as people read it: lines, each with the number of columns that it is moved to the right.

    :param width: the columns that there are.
    :param runs: whether its run is shown beside one that passes.
    """
    where = f" at {finding.file}:{finding.line}" if finding.file else ""
    yield 0, f"{finding.kind}{where}"
    places = [*finding.ranks]
    if places and _what(places[0]) == finding.message:  # no more is to be said of it than of its rank
        yield 2, _what(places[0]) + _at(places.pop(0))
    else:
        yield 2, finding.message
    for place in places:
        yield 4, _what(place) + _at(place)
    if finding.choices:
        yield 2, "It takes these choices:"
        for choice in finding.choices:
            yield 4, f"{choice}{' (it decides)' if choice.critical else ''}"
    elif finding.tape.departures:
        count = len(finding.tape.departures)
        yield 2, f"It takes {count} choice{'s'[: count > 1]} at most: there was no time to find out which."
    else:
        yield 2, f"It happens {_when(finding)}"
    if runs and finding.runs is not None:
        for indent, line in lines_of_two(finding.runs, width - 2):
            yield 2 + indent, line
    if finding.delays is not None:
        yield 2, said(finding.delays)
        if finding.delays:
            yield 2, f"The delays, for bsbpool simulate --script: {script(finding.delays)}"
    yield 2, f"Again: {again(finding)}"
    yield 0, ""


def _when(finding: Finding) -> str:
    """When a finding happens that takes no choice."""
    if finding.unusual is not None:
        return f"in a run without any choice that only exploring makes: {finding.unusual.value}."
    if finding.eager_limit is None:
        return "by default, without any choice."
    which = "no message is" if finding.eager_limit == 0 else f"messages of more than {finding.eager_limit} B are not"
    return f"without any choice, if {which} buffered."


def _what(place: RankPlace) -> str:
    return f"rank {place.rank} {(place.what.splitlines() or [''])[0]}"


def _at(place: RankPlace) -> str:
    return f", at {place.file}:{place.line} in {place.function}" if place.file else ""


def scenario_again(finding: Finding, path: str, seed: int, faults: int) -> str:
    """The command that runs a scenario again, with the schedule of a finding."""
    given = ["--faults", str(faults)] if faults else []
    return shlex.join(["bsbpool", "run", path, "--seed", str(seed), *given, "--tape", str(finding.tape)])


def as_data(exploration: Exploration, again: Callable[[Finding], str]) -> dict[str, Any]:
    """Return an exploration as JSON data.

    :param again: gives the command that runs the schedule of a finding again.
    """
    return {
        "generator": "bsbpool explore",
        "findings": [
            {
                "kind": each.kind,
                "message": each.message,
                "file": each.file,
                "line": each.line,
                "ranks": [place._asdict() for place in each.ranks],
                "tape": str(each.tape),
                "choices": [choice._asdict() for choice in each.choices],
                "schedule": each.schedule,
                "again": again(each),
                "delays": None if each.delays is None else [delay._asdict() for delay in each.delays],
                "runs": None if each.runs is None else _as_data(each.runs),
            }
            for each in exploration.findings
        ],
        "schedules": exploration.schedules,
        "complete": exploration.complete,
        "distinct": exploration.distinct,
        "left": exploration.left,
        "strategy": exploration.strategy,
        "seconds": round(exploration.elapsed, 3),
        "limits": [*exploration.limits],
        "interrupted": exploration.interrupted,
    }


def _as_data(runs: TwoRuns) -> dict[str, Any]:
    texts = {name: [step._asdict() for step in getattr(runs, name)] for name in ("before", "passing", "failing")}
    return {**texts, "passes": runs.passes, "fails": runs.fails, "tape": str(runs.tape), "buffered": runs.buffered}


def as_test(exploration: Exploration, program: Sequence[str], folder: str = ".") -> str:
    """Return a pytest file that explores the program again, and fails while something is found.

    :param program: the options that name the program, and the program with its arguments.
    :param folder: from where they name it, as seen from the folder of the file.
    """
    first = exploration.findings[0]
    name = re.sub(r"\W+", "_", first.kind)
    where = f" at {first.file}:{first.line}" if first.file else ""
    most = max(100, 2 * max(each.schedule for each in exploration.findings))
    command = ["explore", "--schedules", str(most), *program]
    return f'''"""Fails until what exploring has found is mended: {first.kind}{where.replace(chr(34), "'")}."""

import subprocess
import sys
from pathlib import Path

COMMAND = {command!r}
FOLDER = Path(__file__).resolve().parent / {folder!r}


def test_no_order_of_messages_ends_in_a_{name}():
    run = subprocess.run([sys.executable, "-m", "bsbpool", *COMMAND], cwd=FOLDER, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
'''
