"""The trace format: what is written is the same everywhere, and is what the table says."""

import hashlib
import json
import math
import os
import subprocess
import sys
from enum import Enum

import pytest

from bsbpool.facts import Died
from bsbpool.text import harmless
from bsbpool.trace import EVENTS, VERSION, Recorder, Trace, describe
from bsbpool.trace.format import DEEPEST, describe_error, scrub


class Loud:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


class Broken:
    def __repr__(self):
        raise RuntimeError("not today")


class Wordless(Exception):
    def __str__(self):
        raise RuntimeError("not today")


class Plain:
    pass


class Color(Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "described"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (-(10**30), -(10**30)),
        (1.5, 1.5),
        ("text", "text"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        ([1, "a", None], [1, "a", None]),
        ((1, (2, 3)), [1, [2, 3]]),
        ({"b": 1, "a": (2,)}, {"b": 1, "a": [2]}),
        ({1: "one", None: "none"}, {"1": "one", "None": "none"}),
        ({"c", "a", "b"}, ["a", "b", "c"]),
        (frozenset({3, 1, 2}), [1, 2, 3]),
        ({(2, "y"), (1, "x"), "z", 5, None}, ["z", 5, [1, "x"], [2, "y"], None]),
        ({"deep": [{"er": ({1},)}]}, {"deep": [{"er": [[1]]}]}),
        (Color.RED, "<Color.RED: 1>"),
        (b"bytes", "b'bytes'"),
        (1 + 2j, "(1+2j)"),
        (Broken(), "<Broken whose repr raises RuntimeError>"),
        (len, "<built-in function len>"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_value_is_described_as_json(value, described):
    assert describe(value) == described
    assert json.loads(json.dumps(describe(value), allow_nan=False)) == described


@pytest.mark.parametrize(
    "make", [Plain, lambda: [Plain()], lambda: {"x": Plain()}, lambda: str(Plain()), lambda: lambda: 0]
)
def test_no_description_has_an_address(make):
    text = json.dumps(describe(make()))
    assert "0x" not in text
    assert text == json.dumps(describe(make()))


def test_a_number_in_hexadecimal_is_no_address():
    assert describe("0x1f") == "0x1f"


@pytest.mark.parametrize("wrap", [str, Loud, lambda text: [text], lambda text: {text: 1}, lambda text: {text}])
@pytest.mark.parametrize("length", [200, 201, 10_000])
def test_a_long_text_is_cut_at_200_characters(wrap, length):
    found = describe(wrap("x" * length))
    (text,) = [found] if isinstance(found, str) else found
    assert text == ("x" * 200 if length == 200 else "x" * 199 + "…")


def test_what_is_nested_too_deeply_ends_in_its_repr():
    value: str | list = "x"
    for _ in range(DEEPEST + 10):
        value = [value]
    text = json.dumps(describe(value))
    assert text == "[" * DEEPEST + '"' + "[" * 10 + "'x'" + "]" * 10 + '"' + "]" * DEEPEST


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b2J", r"\x9b2J"),
        ("a\u202eb\u2028c\u2069", r"a\u202eb\u2028c\u2069"),
        ("Zürich \u200b \ue000 日本 🧠", "Zürich \u200b \ue000 日本 🧠"),
        ("\0" * 60, r"\x00" * 49 + r"\x0…"),
    ],
)
def test_control_characters_are_written_out(text, kept):
    assert harmless(text) == scrub(text) == kept
    assert harmless(kept) == kept


def test_an_address_is_taken_out_before_a_text_is_cut():
    assert scrub("y" * 190 + " at 0x7f00deadbeef") == "y" * 190


@pytest.mark.parametrize(
    ("error", "described"),
    [
        (None, None),
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (KeyError("k"), "KeyError: 'k'"),
        (ValueError(Plain), "ValueError: <class 'test_trace_format.Plain'>"),
        (ValueError(Plain()), "ValueError: <test_trace_format.Plain object>"),
        (Wordless(), "Wordless: (its text raises RuntimeError)"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_an_error_is_described_on_one_line(error, described):
    assert describe_error(error) == described


# -- traces ------------------------------------------------------------------------------------------

ONE_OF_EACH = [(kind, t, *range(len(fields))) for t, (kind, fields) in enumerate(EVENTS.items())]


def trace(events=ONE_OF_EACH):
    made = Trace({"ranks": 2, "hosts": ["a"]})
    for event in events:
        made.append(event)
    return made


def test_the_first_line_is_the_header_with_the_version():
    header = json.loads(next(trace().lines()))
    assert header == {"trace": "bsbpool", "version": VERSION, "ranks": 2, "hosts": ["a"]}
    assert next(trace().lines()).startswith('{"trace":"bsbpool","version":')


def test_each_event_is_a_line_with_its_time_its_kind_and_the_fields_of_the_table():
    _, *lines = trace().lines()
    for (kind, t, *values), line in zip(ONE_OF_EACH, lines, strict=True):
        assert "\n" not in line
        assert list(json.loads(line).items()) == [("t", t), ("e", kind), *zip(EVENTS[kind], values, strict=True)]


def test_iterating_gives_what_the_lines_hold():
    assert list(trace()) == [json.loads(line) for line in trace().lines()][1:]
    assert len(trace()) == len(EVENTS)


def test_events_can_be_had_by_kind_in_their_order():
    found = trace([("ping", 3, 1), ("fault", 1, 0, Died()), ("ping", 2, 1), ("lost", 0, 1, 1, "y")]).of("ping", "fault")
    assert [(e["e"], e["t"]) for e in found] == [("ping", 3), ("fault", 1), ("ping", 2)]


def test_no_kind_of_event_has_two_fields_of_one_name():
    assert [kind for kind, fields in EVENTS.items() if len({"t", "e", *fields}) != len(fields) + 2] == []


@pytest.mark.parametrize("event", [("ping", 0), ("ping", 0, 1, 2)])
def test_an_event_with_too_few_or_too_many_fields_is_an_error(event):
    with pytest.raises(TypeError):
        trace([event])


def test_the_digest_is_the_sha_256_of_the_file():
    text = "".join(line + "\n" for line in trace().lines())
    assert trace().digest() == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("events", [[], ONE_OF_EACH[:-1], ONE_OF_EACH[::-1], [("ping", 1, 1)]])
def test_another_trace_has_another_digest(events):
    assert trace(events).digest() != trace().digest()


def test_a_trace_is_ascii_whatever_it_holds():
    odd = trace([("end", 0, 1, "Übertragung \ud800 …\u2028")])
    assert all(line.isascii() for line in odd.lines())
    assert len(odd.digest()) == 64


def test_a_recorder_puts_the_time_of_its_clock_on_events():
    times = iter([5, 9])
    recorder = Recorder({"ranks": 1}, lambda: next(times))
    recorder.emit("ping", 1)
    recorder.emit("fault", 0, Died())
    assert list(recorder.trace) == [
        {"t": 5, "e": "ping", "pool": 1},
        {"t": 9, "e": "fault", "rank": 0, "what": {"kind": "died"}},
    ]


def test_descriptions_do_not_depend_on_the_hash_seed():
    code = (
        "from bsbpool.trace import Trace, describe\n"
        "words = {'alpha', 'beta', ('gamma', 'delta'), frozenset({'x', 'y', 'z'}), 3, None, 2.5}\n"
        "t = Trace({'hosts': describe(words)})\n"
        "t.append(('lost', 0, 1, 0, describe({'set': words, 'object': object(), 'f': lambda: 0})))\n"
        "print(t.digest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        ).stdout
        for seed in ("0", "1", "4242")
    }  # fmt: skip
    assert len(digests) == 1
