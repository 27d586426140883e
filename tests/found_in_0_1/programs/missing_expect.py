"""A missing `expect` hid all other mistakes of a scenario file.

Line 17. Held by:
  tests/unit/test_scenario_errors.py::test_a_missing_expect_hides_no_mistake_between_parts
  tests/unit/test_scenario_errors.py::test_a_mistake_hides_no_name_that_is_missing_all_the_same
  tests/unit/test_scenario_errors.py::test_all_mistakes_are_told_at_once_each_with_its_line
"""

from trying import scenario, verdict

TEXT = """scenario: a
ranks: 2
jobs:
- {name: golgi, after: purkinje}
events:
- {at: 1s, cancel: granule}
"""
said = scenario(TEXT).said
verdict("expect" in said and "purkinje" in said and "granule" in said, said)
