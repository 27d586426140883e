"""Shipped scenarios hold in every order of what happens at one instant, or say that they are about the default one."""

from pathlib import Path

import pytest

from bsbpool_sim.scenario import load

ROOT = Path(__file__).parents[2] / "scenarios"
FILES = sorted(ROOT.rglob("*.yaml"))

#: Seeds, of which none is one of a scenario's own. Those that take long are tried with fewer.
SEEDS, FEW = range(1_000_000, 1_000_008), range(1_000_000, 1_000_002)


@pytest.mark.unmeasured
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_scenario_holds_with_any_seed(path):
    scenario = load(path)
    for seed in FEW if path.parent.name in ("large", "recorded") else SEEDS:
        result = scenario.run(seed)
        assert result.ok, result.report()


def test_few_are_about_the_default_order():
    about_it = [path for path in FILES if load(path).model.policy is not None]
    assert len(about_it) <= len(FILES) / 8, about_it
