"""The shipped scenarios are worth their place: they catch each small break of the pool, and each of them catches one.

``python -m pytest tests/breaks -s`` prints for each break the first scenario that catches it.
"""

from functools import cache
from pathlib import Path

import pytest
from breaks import BREAKS, Gone

from bsbpool_sim.scenario import load

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2] / "scenarios"

#: Large ones, and recorded reconstructions, take their time, and hold little that smaller ones don't.
FILES = sorted(path for path in ROOT.rglob("*.yaml") if path.parent.name not in ("large", "recorded"))
#: Seeds of each scenario that are tried with each break, at the most.
SEEDS = 3

RECORDED = sorted((ROOT / "recorded").glob("*.yaml"))
NAMES = [str(path.relative_to(ROOT).with_suffix("")) for path in FILES]


@cache
def _fails(name, what):
    """Whether a scenario fails with a break."""
    with pytest.MonkeyPatch.context() as patch:
        BREAKS[what](patch)
        return not _holds(_scenario(name))


@cache
def _scenario(name):
    return load(ROOT / f"{name}.yaml")


def _holds(scenario):
    try:
        return all(scenario.run_seed(seed).ok for seed in scenario.seeds[:SEEDS])
    except (Exception, Gone):  # the pool can be so broken that not even a report comes of it
        return False


def test_there_are_at_least_twenty_breaks():
    assert len(BREAKS) >= 20


@pytest.mark.parametrize("what", BREAKS)
def test_a_scenario_catches(what):
    by = next((name for name in NAMES if _fails(name, what)), None)
    print(f"\n{what}:\n    {by}")
    assert by, f"no shipped scenario fails when {what}: one is missing"


@pytest.mark.parametrize("name", NAMES)
def test_something_breaks(name):
    assert any(_fails(name, what) for what in BREAKS), f"{name} fails with none of the breaks: what is it there for?"


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_reconstruction_is_not_as_expected_where_dependencies_or_caches_are_broken(path, monkeypatch):
    for what in ("a job starts when the first of its dependencies has succeeded", "nothing is freed before the end"):
        with monkeypatch.context() as patch:
            BREAKS[what](patch)
            assert not _holds(load(path)), what


@pytest.mark.parametrize("name", NAMES)
def test_nothing_fails_in_a_pool_that_is_whole(name):
    result = _scenario(name).run()
    assert result.ok, result.report()
