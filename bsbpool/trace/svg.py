"""A picture of a trace for a paper, as SVG: a lane for each rank, an axis with units, a legend.

It contains only vector graphics and text, so that it can be scaled, printed and edited. Bars of one strategy are one
path, so that pictures of large runs stay small. For details there is the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from ..text import label
from .history import History
from .summary import Run, Summary, summarise
from .timeline import axis_ticks

__all__ = ["COLOURS", "picture"]

#: Told apart by people who see few colours, and in grey, since neighbours differ in lightness. Those of the page.
COLOURS = ("#3c73b8", "#e0952b", "#23907f", "#8d63b8", "#9aa23a", "#63b5dd", "#9a6a48", "#d987b4", "#5b6778", "#cdb24c")
#: Towards which grey value, and how far.
_TONES = ((0, 0.0), (255, 0.42), (0, 0.3))
_FAILED, _INK, _SOFT, _LANE = "#c4162a", "#1d2127", "#565d68", "#eeece6"
#: Points: the width of a page's text, and what is around the lanes.
_WIDTH, _LEFT, _RIGHT, _TOP = 510.0, 46.0, 8.0, 6.0
#: All lanes are this high together, unless a lane would be higher than the second.
_LANES, _TALLEST, _LINE = 300.0, 16.0, 12.0
#: Bars that are this near to each other are drawn as one (points).
_NEAR = 0.1


def picture(history: History) -> str:
    """The picture, as text."""
    summary = summarise(history)
    ranks = [rank.rank for rank in summary.lanes]
    lane = min(_TALLEST, _LANES / len(ranks))
    axis = _TOP + lane * len(ranks)
    legend = list(_legend(summary, axis + 40))
    height = (legend[-1][1] if legend else axis + 26) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH:g}pt" height="{height:.1f}pt" '
        f'viewBox="0 0 {_WIDTH:g} {height:.1f}" role="img" '
        'font-family="Helvetica, Arial, \'Liberation Sans\', sans-serif" font-size="8">',
        f"<title>{_text(_title(summary))}</title>",
        '<defs><pattern id="failed" width="3" height="3" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="3" height="3" fill="{_FAILED}"/><rect width="1" height="3" fill="#fff"/></pattern>'
        '<pattern id="stopped" width="3" height="3" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="1.5" height="3" fill="#fff" fill-opacity=".75"/></pattern></defs>',
        f'<rect width="{_WIDTH:g}" height="{height:.1f}" fill="#fff"/>',
        *_lanes(summary, ranks, lane),
        *_axis(summary, axis),
        *(mark for mark, _ in legend),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _colour(place: int) -> str:
    """The colour of a strategy: from the eleventh on the same hues, lighter, then darker, as in the page."""
    hue = COLOURS[place % len(COLOURS)]
    towards, share = _TONES[place // len(COLOURS) % len(_TONES)]
    parts = [int(hue[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (towards - part) * share):02x}" for part in parts)


def _title(summary: Summary) -> str:
    return f"{summary.jobs} jobs on {summary.ranks} ranks in {summary.makespan:.6g} s"


def _text(text: str) -> str:
    return escape(label(text), {'"': "&quot;"})


def _lanes(summary: Summary, ranks: Sequence[int], lane: float) -> Iterator[str]:
    width = _WIDTH - _LEFT - _RIGHT
    scale = width / summary.makespan if summary.makespan else 0.0
    gap = 1.5 if lane >= 8 else lane * 0.15
    places = {rank: place for place, rank in enumerate(ranks)}
    colours = {strategy.name: _colour(i) for i, strategy in enumerate(summary.strategies)}
    high = lane * len(ranks)
    if lane < 0.5:  # one for all: what is between lanes can't be seen
        rows = f"M{_LEFT:g} {_TOP:g}h{width:g}v{high:.2f}h-{width:g}z"
    else:
        rows = "".join(
            f"M{_LEFT:g} {_TOP + lane * i:.2f}h{width:g}v{lane - gap:.2f}h-{width:g}z" for i in range(len(ranks))
        )
    yield f'<path d="{rows}" fill="{_LANE}"/>'
    for fill, runs in _by_fill(summary, colours):
        least = 2.0 if fill == "url(#failed)" else 0.15  # a failure has to be seen, however short
        path = ""
        for rank, start, end in _joined(runs, scale):
            wide = max(least, end * scale - start * scale)
            x = _LEFT + max(0.0, min(start * scale, width - wide))
            path += f"M{x:.2f} {_TOP + lane * places[rank]:.2f}h{wide:.2f}v{lane - gap:.2f}H{x:.2f}z"
        yield f'<path d="{path}" fill="{fill}"/>'
    step = next(n * 10**power for power in range(7) for n in (1, 2, 5) if n * 10**power * lane >= 9)
    for rank in ranks:
        if rank % step == 0 or rank == ranks[0]:
            y = _TOP + lane * places[rank] + (lane - gap) / 2 + 2.8
            yield f'<text x="{_LEFT - 5:g}" y="{y:.2f}" text-anchor="end" fill="{_INK}">{rank}</text>'
    middle = _TOP + high / 2
    yield f'<text transform="translate(11 {middle:.2f}) rotate(-90)" text-anchor="middle" fill="{_INK}">rank</text>'


def _by_fill(summary: Summary, colours: dict[str, str]) -> Iterator[tuple[str, list[Run]]]:
    """The runs of each colour or pattern, those last that have to be seen."""
    lost = {(failure.pool, failure.job) for failure in summary.failures}
    failed = [run for run in summary.runs if (run.pool, run.job) in lost]
    others = [run for run in summary.runs if (run.pool, run.job) not in lost]
    by_name: dict[str, list[Run]] = {}
    for run in others:
        by_name.setdefault(run.name, []).append(run)
    for name, runs in by_name.items():
        yield colours[name], runs
    stopped = [run for run in others if run.status in ("aborted", "running")]
    if stopped:
        yield "url(#stopped)", stopped
    if failed:
        yield "url(#failed)", failed


def _joined(runs: Sequence[Run], scale: float) -> Iterator[tuple[int, float, float]]:
    """Rank, start and end of bars; what touches in the picture and is thin is one bar."""
    open_: tuple[int, float, float] | None = None
    for run in sorted(runs, key=lambda run: (run.rank, run.started)):
        thin = run.seconds * scale < 4 * _NEAR
        if open_ and thin and open_[0] == run.rank and (run.started - open_[2]) * scale < _NEAR:
            open_ = (run.rank, open_[1], max(open_[2], run.ended))
            continue
        if open_:
            yield open_
        open_ = (run.rank, run.started, run.ended)
        if not thin:  # a line between this and the next
            yield run.rank, run.started, max(run.started, run.ended - 2 * _NEAR / scale if scale else run.ended)
            open_ = None
    if open_:
        yield open_


def _axis(summary: Summary, y: float) -> Iterator[str]:
    width = _WIDTH - _LEFT - _RIGHT
    yield f'<path d="M{_LEFT:g} {y:.2f}h{width:g}" stroke="{_INK}" stroke-width=".6"/>'
    unit, ticks = axis_ticks(summary.makespan, 8) if summary.makespan else ("s", [(0.0, "0")])
    for time, text in ticks:
        x = _LEFT + (time / summary.makespan * width if summary.makespan else 0.0)
        yield f'<path d="M{x:.2f} {y:.2f}v3" stroke="{_INK}" stroke-width=".6"/>'
        yield f'<text x="{x:.2f}" y="{y + 11:.2f}" text-anchor="middle" fill="{_INK}">{text}</text>'
    middle = _LEFT + width / 2
    yield f'<text x="{middle:.2f}" y="{y + 23:.2f}" text-anchor="middle" fill="{_INK}">time ({unit})</text>'


def _legend(summary: Summary, y: float) -> Iterator[tuple[str, float]]:
    """Marks, each with where its line is."""
    items = [(_colour(i), label(strategy.name)) for i, strategy in enumerate(summary.strategies) if strategy.ran]
    if summary.failures:
        items.append(("url(#failed)", "failed"))
    lost = {(failure.pool, failure.job) for failure in summary.failures}
    if any(run.status in ("aborted", "running") and (run.pool, run.job) not in lost for run in summary.runs):
        items.append(("stopped", "had not ended"))
    items.append((_LANE, "idle"))
    if len(summary.strategies) > (told := len(COLOURS) * len(_TONES)):
        items.append(("none", f"(after {told} strategies colours come again)"))
    x = _LEFT
    for fill, name in items:
        name = name if len(name) <= 80 else name[:79] + "…"
        wide = 14 + 4.4 * len(name) + 12  # letters of 8 points, in the mean
        if x > _LEFT and x + wide > _WIDTH:
            x, y = _LEFT, y + _LINE
        if fill == "none":
            yield f'<text x="{x:.1f}" y="{y:.1f}" fill="{_SOFT}">{_text(name)}</text>', y
            continue
        box = f'<rect x="{x:.1f}" y="{y - 6.5:.1f}" width="8" height="8" stroke="{_SOFT}" stroke-width=".3"'
        mark = f'{box} fill="{_SOFT}"/>{box} fill="url(#stopped)"/>' if fill == "stopped" else f'{box} fill="{fill}"/>'
        yield f'{mark}<text x="{x + 12:.1f}" y="{y:.1f}" fill="{_INK}">{_text(name)}</text>', y
        x += wide
