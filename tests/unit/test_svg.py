"""The picture for a paper: bars where jobs ran, an axis with a unit, a legend, and nothing of the trace but text."""

import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import bsbpool
import bsbpool.trace.page
from bsbpool.trace import Trace
from bsbpool.trace.history import History
from bsbpool.trace.svg import COLOURS, picture
from bsbpool_sim import RankErrors, Script, simulate

SVG = "{http://www.w3.org/2000/svg}"
#: Where lanes begin, and how wide they are, in points.
LEFT, WIDTH = 46, 456


def seconds(owner, takes, error=None):
    time.sleep(takes)
    if error:
        raise ValueError(error)


def draw(jobs, ranks=3, script=None, **options):
    """The picture of jobs ``(name, seconds)`` or ``(name, seconds, error)``."""

    def program(comm):
        with bsbpool.job_pool(comm, **options) as pool:
            if pool.is_main():
                for name, *args in jobs:
                    pool.queue(seconds, args, submitter=name)
            pool.execute()

    try:
        trace = simulate(program, ranks, script=script or Script()).trace
    except RankErrors as errors:
        trace = errors.simulation.trace
    return ET.fromstring(picture(History(trace)))


def boxes(svg, fill):
    """Left edge, top and width of the boxes with a fill, in points from the left of the lanes."""
    found = []
    for path in svg.iter(f"{SVG}path"):
        if path.get("fill") == fill:
            for x, y, wide in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)", path.get("d")):
                found.append((float(x) - LEFT, float(y), float(wide)))
    return found


def texts(svg):
    return [text.text for text in svg.iter(f"{SVG}text")]


def test_bars_are_where_and_as_long_as_jobs_ran():
    svg = draw([("a", 1.0), ("b", 4.0), ("a", 2.0)])
    assert boxes(svg, COLOURS[1]) == [(0, 22, pytest.approx(WIDTH, abs=0.3))]
    first, second = boxes(svg, COLOURS[0])
    assert first == (0, 6, pytest.approx(WIDTH / 4, abs=0.3))
    assert second == (pytest.approx(WIDTH / 4), 6, pytest.approx(WIDTH / 2, abs=0.3))


def test_axis_and_legend_say_what_is_what():
    said = texts(draw([("a", 1.0), ("{root}.b", 4.0)]))
    assert [text for text in said if text in "012345"] == ["1", "2", "0", "1", "2", "3", "4"]  # ranks, then seconds
    assert said[-5:] == ["4", "time (s)", "a", "b", "idle"]
    assert "rank" in said


def test_failures_are_hatched_and_seen_however_short():
    svg = draw([("a", 100.0), ("b", 0.001, "no")])
    ((left, _, wide),) = boxes(svg, "url(#failed)")
    assert (left, wide) == (0, 2)
    assert "failed" in texts(svg)
    assert boxes(svg, COLOURS[1]) == []


def test_jobs_that_were_stopped_are_hatched_over_their_colour():
    svg = draw([("a", 5.0), ("b", 1.0, "no")], fail_fast=True)
    assert boxes(svg, "url(#stopped)") == boxes(svg, COLOURS[0])
    assert "had not ended" in texts(svg)


def test_thousands_of_jobs_stay_small_and_many_ranks_stay_on_the_page():
    svg = draw([("a", 0.01)] * 5000, ranks=201)
    height = float(svg.get("height").removesuffix("pt"))
    assert height < 380
    assert len(boxes(svg, COLOURS[0])) == 5000
    joined = draw([("a", 0.01)] * 20000, ranks=3)
    assert len(boxes(joined, COLOURS[0])) < 20
    assert sum(wide for *_, wide in boxes(joined, COLOURS[0])) == pytest.approx(2 * WIDTH, rel=0.01)


def test_many_strategies_wrap_in_the_legend_and_use_colours_again():
    svg = draw([(f"strategy_{i}", 1.0) for i in range(31)])
    lines = {text.get("y") for text in svg.iter(f"{SVG}text") if (text.text or "").startswith("strategy_")}
    assert len(lines) > 3
    assert len(boxes(svg, COLOURS[0])) == 2
    assert "(after 30 strategies colours come again)" in texts(svg)


def test_thirty_strategies_have_thirty_colours():
    svg = draw([(f"strategy_{i}", 1.0) for i in range(30)])
    fills = [box.get("fill") for box in svg.iter(f"{SVG}rect") if box.get("stroke")]
    assert len({*fills}) == len(fills) == 31
    assert not any("again" in text for text in texts(svg))


def test_markup_in_names_is_text():
    name = '<script>alert("1")</script>&amp;' + "x" * 100
    svg = draw([(name, 1.0)])
    assert not list(svg.iter(f"{SVG}script"))
    assert any(
        text and text.startswith('<script>alert("1")</script>&amp;') and text.endswith("…") for text in texts(svg)
    )


def test_an_empty_trace_is_an_empty_lane():
    svg = ET.fromstring(picture(History(Trace({"ranks": 1}))))
    assert texts(svg) == ["0", "rank", "0", "time (s)", "idle"]


def test_the_colours_are_those_of_the_page():
    style = (Path(bsbpool.trace.page.__file__).parent / "page.css").read_text()
    light = style[: style.index('[data-theme="dark"]')]
    assert tuple(re.findall(r"--c\d: (#\w+)", light)) == COLOURS
