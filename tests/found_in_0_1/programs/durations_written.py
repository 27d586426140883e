"""Six functions printed durations, each in its own way.

Line 20. Held by:
  tests/unit/test_durations.py::test_no_other_file_writes_or_reads_durations
  tests/unit/test_durations.py::test_what_is_written_is_read_again
"""

import re
from pathlib import Path

from trying import verdict

import bsbpool
import bsbpool_sim

found = set()
for package in (bsbpool, bsbpool_sim):
    for path in Path(package.__file__).parent.rglob("*.py"):
        if re.search(r"/ ?1e[369]:[.,\\dg]*[gf]\} ?(s|ms|µs)\b|\"ms\": ?(1e-3|10\*\*6)", path.read_text()):
            found.add(path.name)
verdict(found <= {"durations.py"}, f"durations are read or written in {', '.join(sorted(found)) or 'one place'}")
