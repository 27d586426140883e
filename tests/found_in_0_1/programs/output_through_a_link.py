"""The same through a link, and with a hard link.

Line 3. Held by:
  tests/unit/test_outputs.py::test_an_input_that_is_a_link_is_known_by_its_file
"""

import os

from trying import bsbpool, recorded, verdict

trace = recorded("def fill(pool): pool.queue(id, submitter='golgi')")
text, seen = trace.read_text(), []
os.symlink(trace, "link.trace")
os.link(trace, "hard.trace")
for name in ("link.trace", "hard.trace"):
    trace.write_text(text)
    done = bsbpool("show", trace, "--html", name)
    seen.append(f"{name}: status {done.status}, the trace is {'whole' if trace.read_text() == text else 'gone'}")
verdict(all("status 2, the trace is whole" in each for each in seen), "; ".join(seen))
