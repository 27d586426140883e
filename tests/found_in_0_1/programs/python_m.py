"""`python -m bsbpool` was missing.

Line 20. Held by:
  tests/unit/test_cli_help.py::test_python_m_bsbpool_is_the_command
"""

import sys

from trying import last, started, verdict

done = started(sys.executable, "-m", "bsbpool", "--version")
verdict(done.status == 0, last(done.said))
