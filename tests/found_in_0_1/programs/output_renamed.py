"""An output was written where it belongs from the first byte on: one that failed half-way left half a file.

Line 3. Held by:
  tests/unit/test_outputs.py::test_a_write_that_fails_leaves_the_old_file_and_nothing_else
"""

from pathlib import Path

from trying import bsbpool, program, recorded, verdict

trace = recorded("def fill(pool):\n    for n in range(300): pool.queue(id, submitter='golgi')")
page = Path("its.html")
bsbpool("show", trace, "--html", page)
whole = page.stat().st_size
done = program("""
import resource, sys, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
from bsbpool.cli import main
main(["show", "its.trace", "--html", "its.html"])
""")
left = page.stat().st_size
verdict(left == whole, f"a page of {whole} bytes was there; after one that found no room, {left} are left")
