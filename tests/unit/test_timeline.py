"""The timeline, as a person sees it: lanes, letters, times and failures in the right places."""

import io

import pytest
from rich.console import Console

from bsbpool.durations import duration
from bsbpool.facts import Raised
from bsbpool.text import label
from bsbpool.trace.summary import (
    JobFailure,
    PoolSummary,
    RankSummary,
    Run,
    StrategySummary,
    Summary,
)
from bsbpool.trace.timeline import Timeline, round_up


def summary(ranks, makespan, runs, failures=()):
    """A summary of these ``(name, rank, started, ended)``."""
    by_rank = [RankSummary(rank) for rank in range(ranks)]
    strategies = {}
    for name, rank, started, ended in runs:
        by_rank[rank].jobs += 1
        by_rank[rank].busy += ended - started
        strategies.setdefault(name, StrategySummary(name)).ran += 1
    return Summary(
        ranks,
        makespan,
        (PoolSummary(1, 0.0, makespan, len(runs), makespan, None),),
        tuple(strategies.values()),
        tuple(by_rank),
        tuple(JobFailure(0, 0, "a", rank, at, Raised("ValueError", "no"), {}) for rank, at in failures),
        tuple(Run(0, i, name, rank, started, ended, "success") for i, (name, rank, started, ended) in enumerate(runs)),
    )


def draw(summary, width=80, lanes=16, encoding="utf-8", **options):
    """The lines that are printed."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding)
    console = Console(file=out, width=width, **({"color_system": None} | options))
    console.print(Timeline(summary, lanes))
    out.flush()
    return raw.getvalue().decode(encoding).splitlines()


def body(line):
    return line.split("│", 1)[1]


# 40 columns of lane: 48, less "rank 1 ", less the edge.
WIDTH, COLUMNS = 48, 40


def test_a_lane_shows_which_strategy_ran_when():
    lines = draw(summary(3, 40.0, [("a", 1, 0, 10), ("b", 1, 20, 40), ("b", 2, 5, 6)]), WIDTH)
    assert lines[0] == "rank 1 │" + "A" * 10 + " " * 10 + "B" * 20
    assert lines[1] == "rank 2 │" + " " * 5 + "B" + " " * 34


def test_main_has_no_lane_where_others_work():
    lines = draw(summary(2, 1.0, [("a", 1, 0, 1)]), WIDTH)
    assert [line[:6] for line in lines if "│" in line] == ["rank 1"]


def test_main_has_a_lane_where_it_is_alone_or_ran_something():
    assert draw(summary(1, 1.0, [("a", 0, 0, 1)]), WIDTH)[0] == "rank 0 │" + "A" * COLUMNS
    lines = draw(summary(2, 1.0, [("a", 0, 0, 1)]), WIDTH)
    assert [line[:6] for line in lines if "│" in line] == ["rank 0", "rank 1"]


def test_a_column_is_that_of_the_strategy_that_ran_longest_in_it():
    lines = draw(summary(2, 40.0, [("a", 1, 0, 10.4), ("b", 1, 10.4, 40)]), WIDTH)
    assert body(lines[0]) == "A" * 10 + "B" * 30


def test_a_column_that_is_idle_for_half_or_more_is_in_lower_case():
    lines = draw(summary(2, 40.0, [("a", 1, 0, 0.5), ("a", 1, 1, 1.6)]), WIDTH)
    assert body(lines[0]) == "aA" + " " * 38
    assert any("lower case: idle for half or more" in line for line in lines)


def test_a_failure_is_a_cross_where_it_happened():
    lines = draw(summary(3, 40.0, [("a", 1, 0, 40), ("a", 2, 0, 40)], [(1, 20.5), (2, 40.0)]), WIDTH)
    assert body(lines[0]) == "A" * 20 + "✗" + "A" * 19
    assert body(lines[1]) == "A" * 39 + "✗"
    assert any("✗ failed" in line for line in lines)


def test_without_failures_the_legend_has_no_cross():
    assert "✗" not in "".join(draw(summary(2, 1.0, [("a", 1, 0, 1)])))


def test_the_legend_names_strategies_that_ran_by_their_letters():
    ran = summary(2, 2.0, [("{root}.placement.a", 1, 0, 1), ("never", 1, 1, 1), ("c", 1, 1, 2)])
    ran.strategies[1].ran = 0
    text = "\n".join(draw(ran))
    assert "A placement.a   C c" in text
    assert "never" not in text


@pytest.mark.parametrize("width", [40, 80, 100, 200])
@pytest.mark.parametrize("ranks", [2, 17, 128])
def test_it_fits_the_width_and_uses_it(width, ranks):
    runs = [(f"strategy number {r % 9}", r, 0, 3) for r in range(1, ranks)]
    lines = draw(summary(ranks, 3.0, runs), width)
    assert max(map(len, lines)) <= width
    assert len(lines[0]) == width
    assert len([line for line in lines if "│" in line]) <= 17


# -- the axis --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("makespan", "texts"),
    [
        (40.0, ["0 s", "20 s"]),
        (4.68, ["0 s", "2 s", "4 s"]),
        (0.9, ["0 ms", "500 ms"]),
        (2e-5, ["0 µs", "10 µs"]),
        (3e-8, ["0 ns", "10 ns", "20 ns"]),
        (86400.0, ["0 s", "50000 s"]),
    ],
)
def test_ticks_are_round_and_have_their_unit(makespan, texts):
    lines = draw(summary(2, makespan, [("a", 1, 0, makespan)]), WIDTH)
    assert [text.strip() for text in lines[2].split("  ") if text.strip()] == texts


@pytest.mark.parametrize(("width", "time"), [(48, 5), (80, 6), (200, 7)])
def test_a_tick_stands_over_its_time(width, time):
    lines = draw(summary(2, 10.0, [("a", 1, 0, time), ("b", 1, time, 10)]), width)
    then = lines[0].index("B")
    assert lines[1][then] == "┬"
    assert lines[2][then - 1 : then + 2] == f"{time} s"


@pytest.mark.parametrize(
    ("value", "rounded"), [(1.0, 1), (1.1, 2), (2.5, 5), (5.1, 10), (0.03, 0.05), (0.1, 0.1), (120, 200)]
)
def test_steps_are_rounded_up(value, rounded):
    assert round_up(value) == pytest.approx(rounded)


# -- many ranks ------------------------------------------------------------------------------------------


def test_many_ranks_share_lanes_by_height():
    runs = [("a", rank, 0, 40) for rank in range(1, 5)] + [("b", 5, 0, 20)]
    lines = draw(summary(9, 40.0, runs), 51, lanes=2)
    assert lines[0] == "   mostly │" + "A" * 20 + "a" * 20  # 5, then 4 of 8 ranks
    assert lines[1] == "ranks 1-4 │" + "█" * 40
    assert lines[2] == "ranks 5-8 │" + "▂" * 20 + " " * 20


def test_heights_grow_with_the_number_of_busy_ranks():
    runs = [("a", rank, 0, 5.0 * rank) for rank in range(1, 9)]
    lines = draw(summary(9, 40.0, runs), WIDTH + 4, lanes=1)
    heights = body(lines[1])
    assert lines[1].startswith("ranks 1-8 │█")
    assert heights[-1] == "▁"
    assert sorted(heights, reverse=True) == list(heights)


def test_an_idle_group_is_blank_and_a_failure_in_a_group_is_a_cross():
    lines = draw(summary(5, 40.0, [("a", 1, 0, 20)], [(2, 39.9)]), WIDTH + 4, lanes=2)
    assert lines[1].endswith("✗")
    assert set(body(lines[2])) == {" "}


def test_the_last_lane_has_the_ranks_that_are_left():
    lines = draw(summary(8, 1.0, [("a", rank, 0, 1) for rank in range(1, 8)]), lanes=3)
    assert [line.split("│")[0].strip() for line in lines[:4]] == ["mostly", "ranks 1-3", "ranks 4-6", "rank 7"]


# -- colour, and none ------------------------------------------------------------------------------------


def test_with_colour_a_stretch_has_its_letter_once_and_its_colour_throughout():
    (line, *_) = draw(
        summary(2, 40.0, [("a", 1, 0, 20), ("b", 1, 20, 40)]), WIDTH, color_system="256", force_terminal=True
    )
    assert "\x1b[1;30;48;5;80mA" + " " * 19 + "\x1b[0m" in line
    assert "\x1b[1;30;48;5;179mB" + " " * 19 + "\x1b[0m" in line


def test_no_color_has_letters_throughout_and_no_colours():
    lines = draw(summary(2, 40.0, [("a", 1, 0, 40)]), WIDTH, color_system="256", force_terminal=True, no_color=True)
    assert "48;5" not in "".join(lines)
    assert "".join(lines).count("A") == COLUMNS + 1  # and in the legend


def test_a_failure_is_red():
    (line, *_) = draw(summary(2, 40.0, [("a", 1, 0, 40)], [(1, 40.0)]), WIDTH, color_system="256", force_terminal=True)
    assert "\x1b[1;91m✗" in line


@pytest.mark.parametrize("ranks", [3, 40])
def test_a_file_that_takes_ascii_only_gets_ascii(ranks):
    runs = [("a", rank, 0, 2e-5) for rank in range(1, ranks)]
    lines = draw(summary(ranks, 2e-5, runs, [(1, 1e-5)]), encoding="ascii")
    text = "\n".join(lines)
    assert text.isascii()
    assert "X failed" in text
    assert "10 us" in text
    assert (". to #: busy share" in text) is (ranks == 40)


# -- words -----------------------------------------------------------------------------------------------


def test_strategies_beyond_the_alphabet_share_a_sign():
    runs = [(f"s{i}", 1, float(i), float(i + 1)) for i in range(28)]
    lines = draw(summary(2, 28.0, runs), 8 + 28)
    assert body(lines[0]) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ##"
    assert any("# 2 others" in line for line in lines)
    assert any("# 1 other" in line for line in draw(summary(2, 28.0, runs[:27]), 8 + 28))


def test_of_a_run_that_took_no_time_there_is_no_timeline():
    assert draw(summary(2, 0.0, [("a", 1, 0, 0)])) == ["There is no timeline: nothing took any time."]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (5.397233, "5.40 s"),
        (63.6, "63.6 s"),
        (119.636, "119.6 s"),
        (5432.1, "5,432 s"),
        (0.0823, "82.3 ms"),
        (0.0099951, "10.0 ms"),
        (5e-5, "50.0 µs"),
        (3e-9, "3.00 ns"),
        (1e-10, "0.10 ns"),
    ],
)
def test_durations_are_read_at_a_glance(seconds, text):
    assert duration(seconds) == text


def test_names_are_shown_without_root_and_without_what_would_move_the_cursor():
    assert label("{root}.placement.golgi") == "placement.golgi"
    assert label("a\x1b[2Jb\n") == "a�[2Jb�"
