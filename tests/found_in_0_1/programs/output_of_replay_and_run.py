"""`replay run.trace --to-scenario run.trace` and `run x.json --trace x.json` destroyed what they read.

Line 3. Held by:
  tests/unit/test_outputs.py::test_what_is_read_is_never_written_to
"""

import shutil
from pathlib import Path

from trying import RECORDED, bsbpool, recorded, verdict

trace, seen = recorded("def fill(pool): pool.queue(id, submitter='golgi')"), []
shutil.copy(RECORDED, "run.json")
for command, path in (
    ("replay its.trace --to-scenario its.trace", trace),
    ("run run.json --trace run.json", Path("run.json")),
):
    before = path.read_bytes()
    status = bsbpool(*command.split()).status
    seen.append(f"{command}: status {status}, the file is {'whole' if path.read_bytes() == before else 'gone'}")
verdict(all("status 2, the file is whole" in each for each in seen), "; ".join(seen))
