"""`show run.trace --html run.trace` (--svg, --perfetto) destroyed the trace, and ended with 0.

Line 3. Held by:
  tests/unit/test_outputs.py::test_what_is_read_is_never_written_to
"""

from trying import bsbpool, recorded, verdict

trace = recorded("def fill(pool): pool.queue(id, submitter='golgi')")
text, seen = trace.read_text(), []
for option in ("--html", "--svg", "--perfetto"):
    trace.write_text(text)
    done = bsbpool("show", trace, option, trace)
    seen.append(f"{option}: status {done.status}, the trace is {'whole' if trace.read_text() == text else 'gone'}")
verdict(all("status 2, the trace is whole" in each for each in seen), "; ".join(seen))
