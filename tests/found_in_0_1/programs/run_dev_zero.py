"""`bsbpool run /dev/zero` took all memory.

Line 4. Held by:
  tests/unit/test_bounds.py::test_a_file_without_end_is_refused
"""

import resource

from trying import bsbpool, last, verdict

resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
done = bsbpool("run", "/dev/zero", limit=30)
verdict(done.status == 2, f"with 1 GB: status {done.status}, {last(done.said)[:100]}")
