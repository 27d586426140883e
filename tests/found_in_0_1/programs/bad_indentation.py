"""Bad indentation of a scenario file gave the parser's own words.

Line 17. Held by:
  tests/unit/test_scenario_errors.py::test_what_is_no_yaml_is_told_in_words_of_ours
"""

from trying import scenario, verdict

TEXT = """scenario: a
 ranks: 2
jobs: []
"""
said = scenario(TEXT).said
verdict("mapping values are not allowed" not in said and "indentation" in said, said)
