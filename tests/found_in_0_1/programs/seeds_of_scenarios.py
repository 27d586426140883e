"""18 of the 91 shipped scenarios failed with `--seed 7`, since they assumed who gets what at one instant.

Line 22. Held by:
  tests/unit/test_scenario_seeds.py::test_a_scenario_holds_with_any_seed
  tests/unit/test_scenario_seeds.py::test_few_are_about_the_default_order
"""

from trying import CHECKOUT, bsbpool, last, verdict

folders = [
    path
    for path in sorted((CHECKOUT / "scenarios").iterdir())
    if path.is_dir() and path.name not in ("large", "recorded", "recordings")
]
done = bsbpool("run", "--seed", 7, *folders, limit=120)
verdict(done.status == 0, f"status {done.status}: {last(done.said)}; {done.said.count(chr(10007))} fail")
