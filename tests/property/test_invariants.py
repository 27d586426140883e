"""Random job graphs on simulated ranks, under random timings, failures, cancellations and deaths: the invariants of
docs/design.md hold on every event.

Under plain pytest a few hundred cases run, the same each time, and then some that nobody has seen: it prints how
to have these again (`--hypothesis-seed=N`, or a line to put above the test). To hunt by hand, with thousands, and
others each time:

    pytest tests/property --hypothesis-profile=thorough

A failure prints a `Case`, as small as Hypothesis could make it; ``run(Case(…))`` of `graphs` runs it again. Mend what
it shows, and keep it as a test in tests/pool/test_found_by_chance.py.
"""

import hashlib
import os
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from graphs import cases, crowds, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invariants import check, same_run

from bsbpool_sim.default_strategies import InOrder

pytestmark = pytest.mark.unmeasured

HERE = Path(__file__).parent
THOROUGH = settings.default.max_examples > 1000  # the profile of conftest.py is on
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def examples(number):
    """So many cases, the same each time; in the thorough profile its own number, in proportion."""
    if THOROUGH:
        return settings(max_examples=settings.default.max_examples * number // 300, suppress_health_check=SLOW)
    return settings(max_examples=number, derandomize=True, deadline=None, database=None, suppress_health_check=SLOW)


def new_examples(number):
    """So many cases, others in every run."""
    return settings(examples(number), derandomize=False, print_blob=True)


#: What random cases have to bring about now and then, lest they test nothing.
BRINGS_ABOUT = (
    "success", "failed", "cancelled", "aborted", "returned", "lost", "ping", "freed", "cached", "fault", "scheduled",
    "too late to cancel", "cancelled by request", "cancelled by dependency", "stopped early", "main died", "handled",
    "raised on main", "no rank left", "one rank", "late", "tried again",
)  # fmt: skip


def what_came_about(left, seen):
    seen.update(e["e"] for e in left.events)
    seen.update(e["status"] for e in left.events if e["e"] == "status")
    for job, _, done in left.requests:
        seen["cancelled by request" if done else "too late to cancel"] += 1
        # It was returned alone, by a rank that has it in its line.
        seen["called back"] += done and any(e["e"] == "returned" and e["jobs"] == [job] for e in left.events)
    seen["cancelled by dependency"] += any("dependency" in (e.get("error") or "") for e in left.events)
    seen["late"] += any("JobTimeoutError" in (e.get("error") or "") for e in left.events if e["e"] == "status")
    seen["tried again"] += any(
        "queued" in [e["status"] for _, e in changes[1:]] for changes in left.statuses().values()
    )
    seen["stopped early"] += left.stopped_early()
    seen["main died"] += 0 in left.died
    seen["handled"] += bool(left.handled)
    seen["raised on main"] += bool(left.thrown)
    seen["no rank left"] += "nobody" in str(left.left.get(0))
    seen["one rank"] += left.ranks == 1


def test_the_invariants_hold_in_random_cases():
    seen = Counter()

    @examples(300)
    @given(cases())
    def hold(case):
        left = run(case)
        what_came_about(left, seen)
        check(left)

    hold()
    assert not [each for each in BRINGS_ABOUT if not seen[each]], seen


def test_the_invariants_hold_where_many_short_jobs_are_sent_ahead():
    seen = Counter()

    @examples(200)
    @given(crowds())
    def hold(case):
        left = run(case)
        what_came_about(left, seen)
        check(left)

    hold()
    assert seen["called back"] and seen["returned"] and seen["too late to cancel"], seen


@new_examples(100)
@given(st.one_of(cases(), crowds()))
def test_the_invariants_hold_in_cases_that_nobody_has_seen(case):
    check(run(case))


@examples(80)
@given(st.one_of(cases(), crowds()))
def test_the_same_case_leaves_the_same_trace(case):
    same_run(run(case), run(case))


class ByDefault(InOrder):
    """Takes the default everywhere, as `InOrder`; but here it is asked."""


@examples(80)
@given(st.one_of(cases(), crowds()))
def test_what_happens_where_the_default_is_chosen_is_what_happens_where_nothing_is_chosen(case):
    same_run(run(case, ByDefault()), run(case, InOrder()))


IN_ANOTHER_PROCESS = """
import hashlib, pickle, sys
sys.path.insert(0, sys.argv[1])
from graphs import run
for case in pickle.load(sys.stdin.buffer):
    print(hashlib.sha256("\\n".join(run(case).lines).encode()).hexdigest())
"""


@examples(2)
@given(st.lists(st.one_of(cases(), crowds()), min_size=10, max_size=10))
def test_the_same_case_leaves_the_same_trace_under_another_hash_seed(drawn):
    here = [hashlib.sha256("\n".join(run(case).lines).encode()).hexdigest() for case in drawn]
    there = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(HERE)],
        input=pickle.dumps(drawn), stdout=subprocess.PIPE, check=True, env={**os.environ, "PYTHONHASHSEED": "4321"},
    )  # fmt: skip
    assert there.stdout.decode().split() == here
