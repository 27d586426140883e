"""Options and scenarios read durations by readers that differ.

Line 20. Held by:
  tests/unit/test_durations.py::test_options_and_scenarios_read_the_same_durations
  tests/unit/test_durations.py::test_options_and_scenarios_refuse_the_same_with_what_would_be_right
"""

from trying import RECORDED, bsbpool, scenario, verdict

TEXT = """scenario: a
ranks: 2
jobs:
- {{name: golgi, takes: {}}}
expect:
  outcome: ok
"""
seen = {}
for text in ("1min", ".5s", "1h30m", "5", "2e-3s", "1_0s"):
    option = bsbpool("run", RECORDED, "--latency", text).status != 2
    key = scenario(TEXT.format(text)).status != 2
    if option != key:
        seen[text] = (
            "the option reads it, the scenario does not" if option else "the scenario reads it, the option does not"
        )
verdict(not seen, "; ".join(f"{text}: {what}" for text, what in seen.items()) or "both read the same")
