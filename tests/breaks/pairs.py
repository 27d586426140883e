"""Which scenario shows which planted mistake: a pair for each of both, kept in ``pairs.json`` for the tests.

``python tests/breaks/pairs.py`` tries what has no pair, or one that shows nothing any more, and writes it: seconds
for each. ``--all`` forgets what was there: ten minutes. Of several, that one is taken which takes the least processor
time. What tests make of the pairs is in `test_breaks`.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from breaks import BREAKS, Gone
from fresh import FRESH
from later import LATER
from subtle import SUBTLE

from bsbpool_sim.scenario import load

FILE = Path(__file__).with_name("pairs.json")
SCENARIOS = Path(__file__).parents[2] / "scenarios"

#: Large ones, and recorded reconstructions, take their time, and hold little that smaller ones don't.
NAMES = sorted(
    str(path.relative_to(SCENARIOS).with_suffix(""))
    for path in SCENARIOS.rglob("*.yaml")
    if path.parent.name not in ("large", "recorded")
)
#: Seeds of each scenario that are tried with each mistake, at the most.
SEEDS = 3

#: Mistakes that show in rare orders only, and all that may be wrong with the pool and the simulator.
RARE = {**SUBTLE, **LATER, **FRESH}
ALL = {**BREAKS, **RARE}


@cache
def scenario(name: str) -> Any:
    """A scenario of ours, by its folder and name."""
    return load(SCENARIOS / f"{name}.yaml")


@cache
def fails(name: str, what: str) -> bool:
    """Whether a scenario fails with a mistake."""
    with pytest.MonkeyPatch.context() as patch:
        ALL[what](patch)
        return not holds(scenario(name))


def holds(scenario: Any) -> bool:
    """Whether a scenario comes out as expected, with its first seeds."""
    try:
        return all(scenario.run_seed(seed).ok for seed in scenario.seeds[:SEEDS])
    except (Exception, Gone):  # the pool can be so broken that not even a report comes of it
        return False


class Pairs:
    """The pairs of a file.

    :ivar caught_by: for each mistake the scenario that fails with it.
    :ivar fails_with: for each scenario a mistake with which it fails.
    """

    def __init__(self) -> None:
        kept = json.loads(FILE.read_text()) if FILE.exists() else {}
        self.caught_by: dict[str, str] = kept.get("caught_by", {})
        self.fails_with: dict[str, str] = kept.get("fails_with", {})

    def write(self) -> None:
        """Write them."""
        kept = {"caught_by": self.caught_by, "fails_with": self.fails_with}
        FILE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def _took(name: str, what: str) -> float | None:
    """The seconds of processor time in which a scenario fails with a mistake; None: it does not."""
    scenario(name)
    start = time.process_time()
    return time.process_time() - start if fails(name, what) else None


def main(forget: bool) -> None:
    """Find a pair for each mistake and each scenario that has none, and write them."""
    pairs = Pairs()
    if forget:
        pairs.caught_by, pairs.fails_with = {}, {}
    pairs.caught_by = {
        what: name for what, name in pairs.caught_by.items() if what in ALL and name in NAMES and fails(name, what)
    }
    pairs.fails_with = {
        name: what for name, what in pairs.fails_with.items() if what in ALL and name in NAMES and fails(name, what)
    }
    for what in ALL:
        if what not in pairs.caught_by:
            took = {name: seconds for name in NAMES if (seconds := _took(name, what)) is not None}
            if took:
                pairs.caught_by[what] = min(took, key=took.__getitem__)
    for name in NAMES:
        if name not in pairs.fails_with:
            took = {what: seconds for what in ALL if (seconds := _took(name, what)) is not None}
            if took:
                pairs.fails_with[name] = min(took, key=took.__getitem__)
    pairs.write()
    caught, failing = len(pairs.caught_by), len(pairs.fails_with)
    print(f"{caught} of {len(ALL)} mistakes are caught, {failing} of {len(NAMES)} scenarios fail with one")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    importlib.import_module("watching").watch()  # as in tests: what always holds of a pool is checked after each event
    main("--all" in sys.argv[1:])
