"""Durations: one reader for options and scenario files, and texts that agree wherever they are shown."""

import json
import re
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsbpool.cli.arguments import time_with_unit
from bsbpool.cli.replay import kill_of
from bsbpool.durations import DURATION_PATTERN, UNITS, exact_duration, read_duration, written_duration
from bsbpool_sim.scenario import schema
from bsbpool_sim.scenario.written_values import duration_value

ROOT = Path(__file__).parents[2]
#: Code that writes a duration, or knows what a millisecond is.
OF_DURATIONS = re.compile(r"/ ?1e[369]:[.,\dg]*[gf]\} ?(s|ms|µs)\b|\"ms\": ?(1e-3|10\*\*6)")


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1min", 60 * 10**9), ("0.5h", 1800 * 10**9), (".5s", 500_000_000), ("5.s", 5 * 10**9), (" 2 ms ", 2_000_000),
        ("3us", 3000), ("3µs", 3000), ("3\u03bcs", 3000), ("1e-3s", 1_000_000), ("1.5e3ms", 1_500_000_000), ("0s", 0),
        ("0.1ns", 0),
    ],
)  # fmt: skip
def test_options_and_scenarios_read_the_same_durations(text, ns):
    assert read_duration(text) == duration_value(text) == ns
    assert time_with_unit(text) == ns / 1e9
    assert kill_of(f"3@{text}") == (3, ns / 1e9)
    assert re.search(DURATION_PATTERN, text.replace("\u03bc", "µ"))


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("5", "write a number with a unit"), ("5 sec", "write 5s"), ("5 Minutes", "write 5min"), ("1d", "one of these"),
        ("-5s", "is no duration"), ("1e400s", "is no duration"), ("nans", "is no duration"), ("", "is no duration"),
        ("1" * 5000 + "s", "is no duration"), ("999999999h", "longer than 100 years"), ("5s5", "is no duration"),
        ("٣s", "is no duration"),
    ],
)  # fmt: skip
def test_options_and_scenarios_refuse_the_same_with_what_would_be_right(text, right):
    with pytest.raises(ValueError, match=right):
        read_duration(text)
    with pytest.raises(click.BadParameter, match=right):
        time_with_unit(text)
    with pytest.raises(Exception, match=right):
        duration_value(text)


@given(st.integers(0, 10**17))
def test_what_is_written_is_read_again(ns):
    read = read_duration(written_duration(ns))
    assert read == ns or (ns >= 10**15 and abs(read - ns) <= UNITS["s"])


@given(st.integers(0, 2**63))
def test_an_exact_duration_has_every_digit(ns):
    number, unit = exact_duration(ns).split(" ")
    whole, _, rest = number.partition(".")
    assert (int(whole) * 10**9 + int(rest.ljust(9, "0")), unit) == (ns, "s")


def test_units_of_editors_are_those_that_are_read():
    assert DURATION_PATTERN in json.dumps(schema(), ensure_ascii=False).replace("\\\\", "\\")
    assert set(re.search(r"\((ns\|.*)\)", DURATION_PATTERN)[1].split("|")) == set(UNITS)


def test_no_other_file_writes_or_reads_durations():
    others = [
        path
        for package in ("bsbpool", "sim")
        for path in (ROOT / package).rglob("*.py")
        if re.search(
            r"/ ?1e[369]:[.,\dg]*[gf]\} ?(s|ms|µs)\b|\"ms\": ?(1e-3|10\*\*6)", path.read_text(encoding="utf-8")
        )
        and path.name != "durations.py"
    ]
    assert others == []
