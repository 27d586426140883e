"""Of 500 mutated traces some made a command end with a traceback, or never.

Line 2. Held by:
  tests/property/test_mutated_traces.py::test_commands_end_whatever_a_trace_says
"""

import sys
from pathlib import Path

from trying import last, started, verdict

fuzzer = Path(__file__).parents[2] / "property" / "mutated.py"
done = started(sys.executable, fuzzer, 100, "--commands", 1, limit=100)
said = done.said.replace("\r", "\n")
verdict(done.status == 0, last(said, "Error") or last(said))
