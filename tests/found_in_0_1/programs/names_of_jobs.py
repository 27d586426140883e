"""`replay --fail granule` did not say which names there are.

Line 20. Held by:
  tests/unit/test_cli_help.py::test_a_name_that_no_job_has_is_answered_with_those_that_there_are
"""

from trying import bsbpool, last, recorded, verdict

trace = recorded("def fill(pool): pool.queue(id, submitter='golgi')")
line = last(bsbpool("replay", trace, "--fail", "granule").said)
verdict("golgi" in line, line)
