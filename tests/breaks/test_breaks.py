"""The shipped scenarios are worth their place: they catch each small break of the pool, and each of them catches one.

``python -m pytest tests/breaks -s`` prints which scenario catches what.
"""

from pathlib import Path

import pytest
from breaks import BREAKS, Gone

from bsbpool_sim.scenario import load

ROOT = Path(__file__).parents[2] / "scenarios"

#: Large ones, and recorded reconstructions, take their time, and hold little that smaller ones don't.
FILES = sorted(path for path in ROOT.rglob("*.yaml") if path.parent.name not in ("large", "recorded"))
#: Seeds of each scenario that are tried with each break, at the most.
SEEDS = 3

RECORDED = sorted((ROOT / "recorded").glob("*.yaml"))
NAMES = {path: str(path.relative_to(ROOT).with_suffix("")) for path in FILES}


@pytest.fixture(scope="module")
def caught():
    """By break: the scenarios that fail with it, and with what."""
    scenarios = {NAMES[path]: load(path) for path in FILES}
    found = {}
    for what, apply in BREAKS.items():
        with pytest.MonkeyPatch.context() as patch:
            apply(patch)
            found[what] = [name for name, scenario in scenarios.items() if not _holds(scenario)]
    return found


def _holds(scenario):
    try:
        return all(scenario.run_seed(seed).ok for seed in scenario.seeds[:SEEDS])
    except (Exception, Gone):  # the pool can be so broken that not even a report comes of it
        return False


def test_there_are_at_least_twenty_breaks():
    assert len(BREAKS) >= 20


@pytest.mark.parametrize("what", BREAKS)
def test_a_scenario_catches(what, caught):
    print(f"\n{what}:", *caught[what][:5], sep="\n    ")
    assert caught[what], f"no shipped scenario fails when {what}: one is missing"


@pytest.mark.parametrize("name", NAMES.values())
def test_something_breaks(name, caught):
    by = [what for what, names in caught.items() if name in names]
    assert by, f"{name} fails with none of the breaks: what is it there for?"


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_reconstruction_is_not_as_expected_where_dependencies_or_caches_are_broken(path, monkeypatch):
    for what in ("a job starts when the first of its dependencies has succeeded", "nothing is freed before the end"):
        with monkeypatch.context() as patch:
            BREAKS[what](patch)
            assert not _holds(load(path)), what


@pytest.mark.parametrize("name", NAMES.values())
def test_nothing_fails_in_a_pool_that_is_whole(name):
    result = load(ROOT / f"{name}.yaml").run()
    assert result.ok, result.report()
