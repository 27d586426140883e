"""The last example of `bsbpool run --help` was folded into prose.

Line 20. Held by:
  tests/unit/test_cli_help.py::test_each_example_of_a_help_has_a_line_of_its_own
  tests/unit/test_cli_help.py::test_the_last_example_of_run_is_not_part_of_a_sentence
"""

from trying import bsbpool, last, verdict

said = bsbpool("run", "--help").said
line = last(said, "bsbpool run scenarios")
verdict(line == "bsbpool run scenarios", line)
