"""The shipped scenarios are worth their place: they catch each small break of the pool, and each of them catches one.

Which catches which is in ``pairs.json``; `pairs` finds it out.
"""

import importlib
from pathlib import Path

import pytest
from breaks import BREAKS, Gone
from fresh import ONLY_EXPLORED, UNSEEN
from hypothesis import Phase, settings
from pairs import ALL, NAMES, RARE, SCENARIOS, Pairs, fails, holds, scenario
from subtle import SUBTLE

from bsbpool_sim.scenario import load

pytestmark = pytest.mark.unmeasured

RECORDED = sorted((SCENARIOS / "recorded").glob("*.yaml"))
PAIRS = Pairs()

#: Subtle mistakes that no scenario can show, and what finds them: a test module and a function of it.
BY_OTHERS = {
    "a result is only kept if there is room left for one byte more": ("test_large_results", "test_the_room_is_used_up"),
    "a message of the program overtakes others of its link": (
        "test_messages", "test_messages_of_one_link_arrive_in_order_whatever_the_policy"),
    "the last receive that was posted gets a message": ("test_messages", "test_a_mailbox_matches_as_mpi_does"),
    "a receive takes any tag": ("test_messages", "test_a_mailbox_matches_as_mpi_does"),
    "a receive from any rank takes only tag by tag": ("test_messages", "test_a_mailbox_matches_as_mpi_does"),
    "a split orders by rank, and not by key": (
        "test_messages", "test_a_communicator_that_is_split_again_and_again_has_the_ranks_that_mpi_says"),
    "a split of a split has the ranks of the first": (
        "test_messages", "test_a_communicator_that_is_split_again_and_again_has_the_ranks_that_mpi_says"),
    "the last rule of a script that matches a job is its rule": (
        "test_messages", "test_the_first_rule_that_matches_a_job_is_its_rule"),
    "rules with an id come first": ("test_messages", "test_the_first_rule_that_matches_a_job_is_its_rule"),
    "a job that was called back from a rank that died is called back for ever": (
        "test_engine",
        "test_a_job_that_was_called_back_too_late_and_lost_is_not_cancelled_when_another_rank_gives_it_back"),
}  # fmt: skip

#: What to do where a pair is missing, or shows nothing any more.
AGAIN = "`python tests/breaks/pairs.py` looks for one; if there is none, a scenario is missing, or does nothing here"

#: Where these modules are.
MODULES = ("unit", "pool", "property")


def test_there_are_enough_breaks():
    assert len(BREAKS) >= 20
    assert len(SUBTLE) >= 40
    assert len(RARE) - len(BY_OTHERS) >= 50, "scenarios, and what they hold every run against, find too few"


CAUGHT = [what for what in ALL if what not in (*BY_OTHERS, *UNSEEN, *ONLY_EXPLORED)]


@pytest.mark.parametrize("what", CAUGHT)
def test_a_scenario_catches(what):
    by = PAIRS.caught_by.get(what)
    print(f"\n{what}:\n    {by}")
    assert by is not None and fails(by, what), f"no known scenario fails when {what}: {AGAIN}"


@pytest.mark.parametrize("what", BY_OTHERS)
def test_another_test_catches_a_subtle_mistake(what, monkeypatch):
    module, test = BY_OTHERS[what]
    for folder in MODULES:
        monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / folder))
    found = importlib.import_module(module)
    function = getattr(found, test)
    # The mistake is known: no time is spent on the smallest case that shows it.
    if hasattr(found, "examples"):
        usual = found.examples
        monkeypatch.setattr(found, "examples", lambda number: settings(usual(number), phases=[Phase.generate]))
    if (mine := getattr(function, "_hypothesis_internal_use_settings", None)) is not None:
        monkeypatch.setattr(function, "_hypothesis_internal_use_settings", settings(mine, phases=[Phase.generate]))
    RARE[what](monkeypatch)
    with pytest.raises((Exception, Gone, pytest.fail.Exception)):
        function()


@pytest.mark.parametrize("name", NAMES)
def test_something_breaks(name):
    what = PAIRS.fails_with.get(name)
    assert what is not None and fails(name, what), f"{name} fails with no known break: {AGAIN}"


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_reconstruction_is_not_as_expected_where_dependencies_or_caches_are_broken(path, monkeypatch):
    for what in ("a job starts when the first of its dependencies has succeeded", "nothing is freed before the end"):
        with monkeypatch.context() as patch:
            BREAKS[what](patch)
            assert not holds(load(path)), what


@pytest.mark.parametrize("name", NAMES)
def test_nothing_fails_in_a_pool_that_is_whole(name):
    result = scenario(name).run()
    assert result.ok, result.report()
