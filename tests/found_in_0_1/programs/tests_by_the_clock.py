"""Tests asserted on wall time.

Line 0. Held by:
  tests/unit/test_identity.py::test_no_test_measures_real_time
"""

import re

from trying import CHECKOUT, verdict

found = []
for path in sorted((CHECKOUT / "tests").rglob("test_*.py")):
    text = path.read_text()
    if re.search(r"=\s*time\.(monotonic|perf_counter|time)\(\)", text) and re.search(
        r"assert .*(time\.(monotonic|perf_counter|time)\(\) - |took|elapsed_real|duration) ?.*<", text
    ):
        found.append(path.name)
verdict(not found, f"files with tests of real time: {', '.join(found) or 'none'}")
