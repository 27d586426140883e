"""Draws a timeline in a terminal: a lane for each rank, time from left to right.

It draws a `Summary` and reads no trace. The picture must be readable without colour: in a file, in a terminal without
colours, by people who do not see them. Tables and text around it belong in the commands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from ..durations import unit_of
from ..text import label
from .summary import Run, Summary

__all__ = ["Timeline", "axis_ticks"]

#: Backgrounds that black letters can be read on; no red among them, which is for failures.
_COLOURS = (80, 179, 114, 176, 75, 215, 147, 108, 218, 186, 73, 252)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: The letter of all strategies for which the alphabet has none.
_OTHER = "#"
_HEIGHTS = " ▁▂▃▄▅▆▇█"
_ASCII_HEIGHTS = " .,:-=+*#"
_FAILED = Style(color="bright_red", bold=True)
_FRAME = Style(dim=True)
#: Columns between two ticks, at the least.
_BETWEEN_TICKS = 12


class Timeline:
    """The ranks' timeline, for a `rich.console.Console` to print; it takes the width that there is.

    Each column is a slice of time. With a lane for each rank it shows the letter, and the colour, of the
    strategy whose jobs ran there longest: in lower case if the rank was idle for half or more of it,
    a blank if it was idle for all of it. Where there are too many ranks, a lane is for several of them and
    shows by its height how busy they were. A job that failed is a red ✗.

    :param lanes: how many lanes there may be.
    """

    def __init__(self, summary: Summary, lanes: int = 16):
        self._summary = summary
        ranks = [rank.rank for rank in summary.lanes]
        size = math.ceil(len(ranks) / max(1, lanes))
        self._lanes = [ranks[i : i + size] for i in range(0, len(ranks), size)]
        self._grouped = size > 1
        self._letters = {s.name: _LETTERS[i] if i < 26 else _OTHER for i, s in enumerate(summary.strategies)}
        self._colours = {s.name: _COLOURS[i % len(_COLOURS)] for i, s in enumerate(summary.strategies)}

    def chip(self, name: str) -> Text:
        """The letter of a strategy in its colour."""
        return Text(self._letters[name], self._filled(name))

    def _filled(self, name: str) -> Style:
        return Style(color="black", bgcolor=f"color({self._colours[name]})", bold=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._summary.makespan:
            yield Text("There is no timeline: nothing took any time.")
            return
        plain = console.no_color or console.color_system is None
        ascii_only = options.ascii_only
        names = [_lane_name(ranks) for ranks in self._lanes]
        margin = max(map(len, [*names, "mostly" if self._grouped else ""])) + 1
        columns = max(_BETWEEN_TICKS, options.max_width - margin - 1)
        edge = "|" if ascii_only else "│"
        pictures = [_Picture(self._summary, ranks, columns) for ranks in self._lanes]
        if self._grouped:
            every = _Picture(self._summary, [rank for ranks in self._lanes for rank in ranks], columns)
            cells = self._letters_of(every, plain, ascii_only, crosses=False)
            yield from _line("mostly".rjust(margin - 1), edge, cells)
        for name, picture in zip(names, pictures, strict=True):
            if self._grouped:
                cells = self._heights_of(picture, ascii_only)
            else:
                cells = self._letters_of(picture, plain, ascii_only, crosses=True)
            yield from _line(name.rjust(margin - 1), edge, cells)
        yield from _axis(self._summary.makespan, margin, columns, ascii_only)
        yield from self._legend(options.max_width, ascii_only)

    def _letters_of(self, picture: _Picture, plain: bool, ascii_only: bool, crosses: bool) -> Iterator[Segment]:
        """A cell for each column: what ran there, by letter and colour."""
        before = None
        for column in range(picture.columns):
            name, share = picture.most(column), picture.share(column)
            if crosses and column in picture.failed:
                yield Segment("X" if ascii_only else "✗", _FAILED)
                name = None
            elif name is None:
                yield Segment(" ")
            elif share <= 0.5:
                yield Segment(self._letters[name].lower(), Style(color=f"color({self._colours[name]})"))
                name = None
            else:
                # Where colour tells, a letter at the start of a stretch is enough, and calmer.
                yield Segment(self._letters[name] if plain or name != before else " ", self._filled(name))
            before = name

    def _heights_of(self, picture: _Picture, ascii_only: bool) -> Iterator[Segment]:
        """A cell for each column: how busy its ranks were, by height."""
        heights = _ASCII_HEIGHTS if ascii_only else _HEIGHTS
        for column in range(picture.columns):
            name = picture.most(column)
            if column in picture.failed:
                yield Segment("X" if ascii_only else "✗", _FAILED)
            elif name is None:
                yield Segment(" ")
            else:
                height = math.ceil(picture.share(column) * (len(heights) - 1) - 1e-9)
                yield Segment(heights[max(1, height)], Style(color=f"color({self._colours[name]})"))

    def _legend(self, width: int, ascii_only: bool) -> Iterator[Text]:
        ran = [strategy.name for strategy in self._summary.strategies if strategy.ran]
        others = sum(self._letters[name] == _OTHER for name in ran)
        items = [Text.assemble(self.chip(name), " ", label(name)) for name in ran if self._letters[name] != _OTHER]
        if others:
            items.append(Text(f"{_OTHER} {others} {'other' if others == 1 else 'others'}"))
        if self._summary.failures:
            items.append(Text.assemble(("X" if ascii_only else "✗", _FAILED), " failed"))
        if self._grouped:
            items.append(Text(". to #: busy share" if ascii_only else "height: busy share of the ranks", _FRAME))
        else:
            items.append(Text("lower case: idle for half or more", _FRAME))
        line = Text()
        for item in items:
            if line and line.cell_len + 3 + item.cell_len > width:
                yield line
                line = Text()
            line = Text("   ").join([line, item]) if line else item
        yield line


class _Picture:
    """What ran in each column of one lane."""

    def __init__(self, summary: Summary, ranks: Sequence[int], columns: int):
        self.columns = columns
        self._full = len(ranks)
        self._busy: list[dict[str, float]] = [{} for _ in range(columns)]
        #: columns in which a job failed.
        self.failed: dict[int, None] = {}
        scale = columns / summary.makespan
        here = range(ranks[0], ranks[-1] + 1)
        for run in summary.runs:
            if run.rank in here:
                self._add(run, scale)
        for failure in summary.failures:
            if failure.rank in here:
                self.failed[min(columns - 1, int(failure.at * scale))] = None

    def _add(self, run: Run, scale: float) -> None:
        start, end = max(0.0, run.started * scale), min(float(self.columns), run.ended * scale)
        for column in range(int(start), math.ceil(end)):
            share = min(end, column + 1) - max(start, column)
            busy = self._busy[column]
            busy[run.name] = busy.get(run.name, 0.0) + share

    def most(self, column: int) -> str | None:
        """The strategy whose jobs ran longest in a column; None if none did."""
        busy = self._busy[column]
        return max(busy, key=busy.__getitem__) if busy else None

    def share(self, column: int) -> float:
        """The share of its time that the lane was busy in a column, from 0 to 1."""
        return sum(self._busy[column].values()) / self._full


def _lane_name(ranks: Sequence[int]) -> str:
    return f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {ranks[0]}-{ranks[-1]}"


def _line(name: str, edge: str, cells: Iterable[Segment]) -> Iterator[Segment]:
    yield Segment(f"{name} ")
    yield Segment(edge, _FRAME)
    yield from Segment.simplify(cells)
    yield Segment.line()


def _axis(makespan: float, margin: int, columns: int, ascii_only: bool) -> Iterator[Segment]:
    """The time axis: a line with ticks, and their times below."""
    unit, times = axis_ticks(makespan, max(1, columns // _BETWEEN_TICKS))
    if ascii_only and unit == "µs":
        unit = "us"
    corner, dash, tick = "+-+" if ascii_only else "└─┬"
    ticks = {min(columns - 1, round(time / makespan * columns)): told for time, told in times}
    line = corner + "".join(tick if column in ticks else dash for column in range(columns))
    texts = {}
    for column, told in ticks.items():
        text = f"{told} {unit}"
        start = max(0, column - len(text) // 2) if column else 0
        if start + len(text) <= columns:
            texts[start] = text
    below = " " * (margin + 1)
    starts = [*texts, columns]
    for start, following in pairwise(starts):
        below += texts[start].ljust(following - start)
    yield Segment(" " * margin)
    yield Segment(line, _FRAME)
    yield Segment.line()
    yield Segment(below.rstrip(), _FRAME)
    yield Segment.line()


def axis_ticks(makespan: float, most: int) -> tuple[str, list[tuple[float, str]]]:
    """The unit of a time axis, and its ticks at round times: each in seconds, and as text in that unit.

    :param makespan: how long the axis is, in seconds; more than 0.
    :param most: about how many ticks there may be.
    """
    step = round_up(makespan / most)
    size, unit = unit_of(makespan)
    times = [number * step for number in range(int(makespan / step + 1e-9) + 1)]
    return unit, [(time, f"{time / size:.10g}") for time in times]


def round_up(value: float) -> float:
    """Round up to the next of 1, 2, 5, 10, 20 and so on, and of 0.5, 0.2, 0.1 and so on."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9))
