"""All small scenarios are exhausted, with one fault, and nothing is found; the documentation has the numbers."""

import re
from functools import cache
from pathlib import Path

import pytest

from bsbpool_sim.exploring.scenarios import explore_scenario
from bsbpool_sim.scenario import load

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
#: A row of the table: ranks, scenarios, schedules, the most of one, and which one.
ROW = re.compile(r"^\| (\d) \| (\d+) \| ([\d,]+) \| ([\d,]+): `(\S+)` \|$", re.MULTILINE)


@cache
def rows():
    return {int(row[0]): row[1:] for row in ROW.findall((ROOT / "docs/exploring.md").read_text(encoding="utf-8"))}


def small(ranks):
    """The scenarios with so many ranks and at most 8 jobs, by their path."""
    scenarios = {str(path.relative_to(ROOT)): load(path) for path in sorted(ROOT.glob("scenarios/**/*.yaml"))}
    return {name: each for name, each in scenarios.items() if each.model.ranks == ranks and len(each.plan.jobs) <= 8}


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_all_small_scenarios_are_exhausted_with_one_fault_and_the_documentation_says_so(ranks):
    schedules = {}
    for name, scenario in small(ranks).items():
        exploration = explore_scenario(scenario, faults=1, seconds=36_000, strategy="exhaustive")
        assert exploration.complete, name
        assert exploration.findings == [], name
        schedules[name] = exploration.schedules
    _, most = max((count, name) for name, count in schedules.items())
    said = f"{len(schedules)}", f"{sum(schedules.values()):,}", f"{schedules[most]:,}", most
    assert rows()[ranks] == said


def test_the_documentation_adds_them_up():
    text = (ROOT / "docs/exploring.md").read_text(encoding="utf-8")
    count, total = (sum(int(row[place].replace(",", "")) for row in rows().values()) for place in (0, 1))
    assert f"Each of the {count} scenarios" in text
    assert f"{total:,} schedules, and nothing was found" in text
