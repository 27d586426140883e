"""queue.Queue().get(timeout=…) blocked if `queue` was first imported on a simulated rank.

Line 13. Held by:
  tests/unit/test_sources.py::test_a_queue_waits_in_virtual_time_wherever_it_was_first_imported
"""

from trying import last, program, verdict

TEXT = """
import sys
from bsbpool_sim import simulate
sys.modules.pop("queue", None)
def program(comm):
    import queue, time
    try: queue.Queue().get(timeout=5000)
    except queue.Empty: return time.monotonic()
print(simulate(program, 2).results)
"""
said = program(TEXT, limit=15).said
verdict(last(said) == "[5000.0, 5000.0]", last(said))
