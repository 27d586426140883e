"""Draws the history of the benchmarks, which `python tests/benchmarks --save` adds to: a row for each ratio.

What is measured is in tests/benchmarks; what the numbers mean, in docs/performance.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

WIDTH, HEIGHT, EDGE = 220, 40, 6


class Point(NamedTuple):
    """A ratio of one measurement, and its place among all measurements."""

    place: int
    ratio: float
    entry: dict[str, Any]


def read(file: Path) -> list[dict[str, Any]]:
    """The measurements in the file, in their order."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def by_ratio(entries: Sequence[dict[str, Any]]) -> dict[str, list[Point]]:
    """The points of each ratio; one that was not measured has none there."""
    found: dict[str, list[Point]] = {}
    for place, entry in enumerate(entries):
        for name, ratio in entry["ratios"].items():
            found.setdefault(name, []).append(Point(place, ratio, entry))
    return found


def line(points: Sequence[Point], places: int) -> str:
    """A line through the points, as SVG: zero is at the bottom, and each point says what it is."""
    top = max(*(point.ratio for point in points), 1e-9) * 1.1
    step = (WIDTH - 2 * EDGE) / max(places - 1, 1)
    at = [(EDGE + p.place * step, HEIGHT - EDGE - p.ratio / top * (HEIGHT - 2 * EDGE)) for p in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{escape(told(point))}</title></circle>'
        for (x, y), point in zip(at, points, strict=True)
    )
    foot = f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT - EDGE}" y2="{HEIGHT - EDGE}"/>'
    return (
        f'<svg class="benchmark" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f'{foot}<polyline points="{path}"/>{dots}</svg>'
    )


def told(point: Point) -> str:
    """What a point is, in words."""
    entry = point.entry
    return f"{point.ratio:g} on {entry['date']}, bsbpool {entry['version']}, commit {entry['commit'] or 'unknown'}"


def table(entries: Sequence[dict[str, Any]]) -> str:
    """All of it, as HTML."""
    rows = []
    for name, points in sorted(by_ratio(entries).items()):
        first, last = points[0], points[-1]
        change = f"{last.ratio / first.ratio - 1:+.0%}" if len(points) > 1 and first.ratio else ""
        cells = [escape(name), line(points, len(entries)), f"{last.ratio:.3f}", change]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = ("ratio", "each measurement", "last", "since the first")
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join(rows)
    return (
        '<div class="table-wrapper docutils container"><table class="docutils">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def measurements(entries: Sequence[dict[str, Any]]) -> str:
    """When and where was measured, as HTML."""
    items = "".join(
        f"<li>{entry['date']}: bsbpool {escape(entry['version'])}, commit {escape(entry['commit'] or 'unknown')}, "
        f"{escape(entry['machine'])}: {len(entry['ratios'])} ratios</li>"
        for entry in entries
    )
    return f"<ol>{items}</ol>"
