"""What scenarios expect errors to be: patterns of what people read, or facts."""

import pytest
from pydantic import TypeAdapter

from bsbpool.errors_and_facts import in_words
from bsbpool.facts import ERRORS, LeftRank, LostRank, NobodyLeft, NotScheduled, Overdue, Raised, SchedulerFailed
from bsbpool.trace.format import ERROR_FIELDS
from bsbpool_sim.scenario.wanted_errors import Wanted

WANTED = TypeAdapter(Wanted)
LATE = Overdue(2 * 10**9, 1, "node7", "interrupted", "f, line 3 of x.py")


@pytest.mark.parametrize(
    ("wanted", "error", "fits"),
    [
        ("ValueError: *", Raised("ValueError", "no"), True),
        ("ValueError: *", Raised("KeyError", "no"), False),
        ("JobTimeoutError: *limit of 2 s*", LATE, True),
        ({"kind": "overdue"}, LATE, True),
        ({"kind": "overdue"}, Raised("JobTimeoutError", "no"), False),
        ({"kind": "overdue", "limit": "2s", "rank": 1, "ended": "interrupted", "place": "f, *"}, LATE, True),
        ({"kind": "overdue", "limit": "3s"}, LATE, False),
        ({"kind": "overdue", "rank": 2}, LATE, False),
        ({"kind": "overdue", "place": "g, *"}, LATE, False),
        ({"kind": "raised", "type": "ValueError", "message": "*chunk ?"}, Raised("ValueError", "bad chunk 7"), True),
        ({"kind": "lost rank", "died": "1s"}, LostRank(2, "a", 10**9), True),
        ({"kind": "lost rank", "died": None}, LostRank(2, "a", 10**9), False),
        ({"kind": "lost rank", "died": None}, LostRank(2, "a", None), True),
        ({"kind": "not scheduled", "because": "golgi"}, NotScheduled("a", "golgi"), True),
        ({"kind": "scheduler failed", "error": "A: b*"}, SchedulerFailed("a", Raised("A", "bc")), True),
        ({"kind": "scheduler failed", "error": {"kind": "overdue"}}, SchedulerFailed("a", Raised("A", "b")), False),
        ({"kind": "left rank", "error": "OSError: *"}, LeftRank(1, None), False),
        ({"kind": "nobody left", "stuck": [1, 2]}, NobodyLeft(3, 0, (1, 2)), True),
        ({"kind": "nobody left", "stuck": []}, NobodyLeft(3, 0, (1, 2)), False),
    ],
)  # fmt: skip
def test_an_error_is_held_against_what_is_wanted(wanted, error, fits):
    assert WANTED.validate_python(wanted).fits(error, in_words) is fits


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("ValueError: *", "ValueError: *"),
        ({"kind": "overdue"}, "overdue"),
        ({"kind": "overdue", "limit": "1500ms", "rank": 1}, "overdue: limit 1.5 s, rank 1"),
        ({"kind": "lost rank", "died": None}, "lost rank: died unknown"),
        ({"kind": "nobody left", "stuck": [1, 2]}, "nobody left: stuck [1, 2]"),
        ({"kind": "scheduler failed", "error": {"kind": "overdue"}}, "scheduler failed: error (overdue)"),
    ],
)  # fmt: skip
def test_a_report_says_what_was_wanted(wanted, text):
    assert WANTED.validate_python(wanted).text == text


@pytest.mark.parametrize("kind", ERRORS)
def test_each_kind_can_be_wanted_and_the_schema_has_its_facts(kind):
    assert WANTED.validate_python({"kind": kind}).kind == kind
    facts = WANTED.json_schema()["anyOf"][1]["properties"]
    known = {name for name, wanted in ERROR_FIELDS[kind].items() if wanted != "list of errors"}
    assert known <= {*facts}
