"""The HTML page of findings: each finding with its two runs side by side, with a lane for each rank.

It is one file without network access and scripts. Its contents are those of the report in the terminal.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from html import escape

from bsbpool.durations import exact_duration
from bsbpool.text import label

from .exploration import Exploration
from .findings import Finding
from .kept import lines_of
from .nearest_run import TwoRuns
from .steps import CHOICE, FAULT, SENDS, Step, shorter

#: Pixels: of a row, between two lanes, around the lanes, and of a letter.
_ROW, _LANE, _EDGE, _LETTER = 22, 30, 16, 6.7

#: Steps that are drawn of what both runs share, and of each after that.
_BEFORE, _AFTER = 12, 60

_STYLE = """
:root { color-scheme: light dark; --page: #f6f5f2; --card: #fff; --ink: #1d2127; --soft: #565d68; --line: #d9d7d0;
  --lane: #c9c6be; --accent: #1b5fc1; --fail: #c4162a; --good: #1d7a46; --mark: #1b5fc11a; }
@media (prefers-color-scheme: dark) { :root { --page: #121418; --card: #1a1d23; --ink: #e8e9ec; --soft: #a5acb8;
  --line: #30353e; --lane: #4a515c; --accent: #7db2ff; --fail: #ff6b6b; --good: #5fcf90; --mark: #7db2ff22; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1500px; padding: 20px; background: var(--page); color: var(--ink);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; }
h1 { font-size: 20px; margin: 0; } h2 { font-size: 16px; margin: 0 0 6px; overflow-wrap: anywhere; }
h3 { font-size: 13px; margin: 0 0 4px; overflow-wrap: anywhere; }
.about, .soft { color: var(--soft); } .about { margin: 2px 0 16px; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px;
  margin: 0 0 16px; }
pre { margin: 8px 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo,
  Consolas, "Liberation Mono", monospace; }
.runs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 16px;
  margin-top: 12px; }
.run { border: 1px solid var(--line); border-top: 4px solid var(--good); border-radius: 8px; padding: 10px 12px;
  overflow-x: auto; } .run.fails { border-top-color: var(--fail); }
.passes h3 { color: var(--good); } .fails h3 { color: var(--fail); }
svg { display: block; font: 11px ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
svg text { fill: var(--ink); } svg .soft { fill: var(--soft); } svg .lane { stroke: var(--lane); }
svg .dot { fill: var(--ink); } svg .arrow { stroke: var(--accent); fill: none; stroke-width: 1.4; }
svg .head { fill: var(--accent); } svg .choice { fill: var(--accent); font-weight: 600; }
svg .fault { fill: var(--fail); } svg .mark { fill: var(--mark); }
.end { margin: 6px 0 0; overflow-wrap: anywhere; } .passes .end { color: var(--good); }
.fails .end { color: var(--fail); }
svg .part { stroke: var(--soft); stroke-dasharray: 4 3; }
"""


def findings_page(explored: Sequence[tuple[str, Exploration, Callable[[Finding], str]]]) -> str:
    """The page, as text.

    :param explored: what was explored, what came of it, and what gives the command that runs a finding again.
    """
    parts = []
    for title, exploration, again in explored:
        articles = "".join(_article(finding, again) for finding in exploration.findings)
        parts.append(f'<h1>{_text(title)}</h1><p class="about">{_text(str(exploration))}</p>\n{articles}')
    name = _text(explored[0][0] if len(explored) == 1 else f"{len(explored)} scenarios")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{name}: findings</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>{"".join(parts)}</body>'
        "</html>\n"
    )


def _text(text: str) -> str:
    return escape(label(" ".join(text.split())))


def _article(finding: Finding, again: Callable[[Finding], str]) -> str:
    here = os.path.join(os.getcwd(), "")
    (_, title), *lines = [(indent, text.replace(here, "")) for indent, text in lines_of(finding, again, runs=False)]
    said = "\n".join(" " * indent + text for indent, text in lines)
    drawn = "" if finding.runs is None else "".join(_two(finding.runs))
    return f"<article><h2>{_text(title)}</h2><pre>{escape(said.rstrip())}</pre>{drawn}</article>\n"


def _two(runs: TwoRuns) -> Iterator[str]:
    ranks = sorted({rank for step in (*runs.before, *runs.passing, *runs.failing) for rank in _ranks(step)})
    yield '<div class="runs">'
    for name, steps, end in (("passes", runs.passing, runs.passes), ("fails", runs.failing, runs.fails)):
        how = " with messages that are buffered" if runs.buffered and name == "passes" else ""
        yield f'<section class="run {name}"><h3>{name}{how}</h3>'
        yield _chart(runs.before, steps, ranks)
        yield f'<p class="end">→ {_text(end)}</p></section>'
    yield "</div>"


def _ranks(step: Step) -> list[int]:
    return [rank for rank in (step.rank, step.other) if rank is not None]


def _chart(before: Sequence[Step], after: Sequence[Step], ranks: Sequence[int]) -> str:
    """A run: time goes down, each rank has a lane, and each step a row with its words beside the lanes."""
    left_out, cut = max(0, len(before) - _BEFORE), max(0, len(after) - _AFTER)
    steps = [*before[left_out:], *after[:_AFTER]]
    parted = len(before) - left_out
    timed = any(step.t for step in (*before, *after))
    lanes = {rank: _EDGE + place * _LANE for place, rank in enumerate(ranks)}
    words = 2 * _EDGE + max(0, len(ranks) - 1) * _LANE
    top = 26
    rows = [top + _ROW * (place + (place >= parted)) + _ROW / 2 for place in range(len(steps))]
    part = top + _ROW * parted + _ROW / 2
    height = top + _ROW * (len(steps) + 1 + bool(cut))
    texts = [_said(step, timed) for step in steps]
    common = "the same in both runs up to here" + (f", and {left_out} steps before" if left_out else "")
    longest = max(len(common), *map(len, texts)) if texts else len(common)
    out = [f'<rect class="mark" x="0" y="{rows[parted] - _ROW / 2}" width="100%" height="{_ROW}"/>'] if after else []
    for rank, x in lanes.items():
        out.append(f'<text class="soft" x="{x}" y="16" text-anchor="middle">{rank}</text>')
        out.append(f'<path class="lane" d="M{x} {top}V{height}"/>')
    out.append(f'<path class="part" d="M0 {part}H{words}"/>')
    out.append(f'<text class="soft" x="{words}" y="{part + 4}">{common}</text>')
    out += _arrows(steps, rows, lanes)
    for step, y, text in zip(steps, rows, texts, strict=True):
        kind = step.kind if step.kind in (CHOICE, FAULT) else ""
        if step.rank is not None:
            out.append(f'<circle class="dot {kind}" cx="{lanes[step.rank]}" cy="{y}" r="4"/>')
        out.append(f'<text class="{kind}" x="{words}" y="{y + 4}">{_text(text)}</text>')
    if cut:
        out.append(f'<text class="soft" x="{words}" y="{height - _ROW / 2 + 4}">and {cut} steps more</text>')
    wide = words + _LETTER * longest + 4
    return f'<svg width="{wide:.0f}" height="{height}" role="img">{"".join(out)}</svg>'


def _said(step: Step, timed: bool) -> str:
    when = f"{exact_duration(step.t)}  " if timed else ""
    where = f" ({shorter(step.where)})" if step.where else ""
    return f"{when}{' '.join(step.text.split())}{where}"


def _arrows(steps: Sequence[Step], rows: Sequence[float], lanes: dict[int, int]) -> Iterator[str]:
    """From each send to what takes its message: of one tag, messages between two ranks are taken in order."""
    sent: dict[tuple[int, int, int | None], deque[float]] = defaultdict(deque)
    for step, y in zip(steps, rows, strict=True):
        if step.rank is None or step.other is None:
            continue
        if step.kind == SENDS:
            sent[step.rank, step.other, step.tag].append(y)
        elif waiting := sent[step.other, step.rank, step.tag]:
            begin, x, to = waiting.popleft(), lanes[step.other], lanes[step.rank]
            side = 1 if to > x else -1
            if to == x:
                continue
            yield f'<path class="arrow" d="M{x} {begin}L{to - 5 * side} {y}"/>'
            yield f'<path class="head" d="M{to - 4 * side} {y}l{-8 * side} -4.5v9z"/>'
