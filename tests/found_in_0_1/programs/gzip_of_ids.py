"""A few kB of gzip took hundreds of MB.

Line 4. Held by:
  tests/unit/test_bounds.py::test_a_small_file_does_not_unpack_to_a_large_one
  tests/property/test_what_is_read_is_bounded.py::test_a_compressed_trace_unpacks_to_a_bounded_size
"""

import gzip
import json
import resource
from pathlib import Path

from trying import bsbpool, last, recorded, verdict

trace = recorded("def fill(pool): pool.queue(id, deps=[pool.queue(id, submitter='first')], submitter='golgi')")
lines = trace.read_text().splitlines()
place = max(n for n, line in enumerate(lines) if '"deps"' in line)
event = json.loads(lines[place])
event["deps"] = [0] * 4_000_000
lines[place] = json.dumps(event, separators=(",", ":"))
packed = Path("its.trace.gz")
packed.write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode(), 9))
done = bsbpool("show", packed, limit=100)
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
verdict(done.status == 2, f"{packed.stat().st_size} bytes take {most} MB: status {done.status}, {last(done.said)[:90]}")
