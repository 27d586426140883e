"""help(JobPool) showed `<object object at 0x…>`.

Line 20. Held by:
  tests/unit/test_cli_help.py::test_help_shows_no_address
  tests/unit/test_cli_help.py::test_help_of_the_pool_names_what_a_limit_is_by_default
"""

import pydoc

from trying import last, verdict

import bsbpool

said = pydoc.render_doc(bsbpool.JobPool, renderer=pydoc.plaintext)
line = last(said, "object at 0x")
verdict(not line, line[-120:] or "no address is shown")
