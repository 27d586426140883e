"""Two runs as text: their common steps, and then the run that passes beside the run that fails."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from bsbpool.durations import exact_duration

from .nearest_run import TwoRuns
from .steps import Step, shorter

#: Steps that are shown of what both share, and of each run after that.
BEFORE, AFTER = 4, 12

_BETWEEN = " │ "


def lines_of_two(runs: TwoRuns, width: int) -> Iterator[tuple[int, str]]:
    """Two runs, as lines, each with the number of columns that it is moved to the right.

    :param runs: the runs.
    :param width: the columns that there are.
    """
    timed = any(step.t for step in (*runs.before, *runs.passing, *runs.failing))
    if runs.buffered:
        yield 0, "The same with messages that are buffered, and without:"
    else:
        yield 0, "The nearest run that passes, and this one:"
    if len(runs.before) > BEFORE:
        yield 2, f"{_count(len(runs.before) - BEFORE)} that both have, and then"
    for step in runs.before[-BEFORE:]:
        yield 2, _text(step, timed)
    half = (width - 2 - len(_BETWEEN)) // 2
    passing, failing = _cells(runs.passing, timed), _cells(runs.failing, timed)
    rows = max(len(passing), len(failing))
    left = ["passes", *passing, *[""] * (rows - len(passing)), f"→ {runs.passes}"]
    right = ["fails", *failing, *[""] * (rows - len(failing)), f"→ {runs.fails}"]
    yield 2, "─" * half + "─┬─" + "─" * half
    for one, other in zip(left, right, strict=True):
        yield from ((2, row) for row in _beside(one, other, half))


def _cells(steps: Sequence[Step], timed: bool) -> list[str]:
    shown = steps if len(steps) <= AFTER else steps[: AFTER - 1]
    cells = [_text(step, timed) for step in shown]
    if len(shown) < len(steps):
        cells.append(f"and {_count(len(steps) - len(shown))} more")
    return cells


def _count(steps: int) -> str:
    return f"{steps} step{'s' if steps != 1 else ''}"


def _text(step: Step, timed: bool) -> str:
    when = f"{exact_duration(step.t)}  " if timed else ""
    where = f" ({shorter(step.where)})" if step.where else ""
    return f"{when}{' '.join(step.text.split())}{where}"


def _beside(one: str, other: str, width: int) -> Iterator[str]:
    left = textwrap.wrap(one, width, subsequent_indent="  ") or [""]
    right = textwrap.wrap(other, width, subsequent_indent="  ") or [""]
    for row in range(max(len(left), len(right))):
        here = left[row] if row < len(left) else ""
        there = right[row] if row < len(right) else ""
        yield f"{here:<{width}}{_BETWEEN}{there}".rstrip()
