"""In an ordinary install what is said of a run that goes on for ever named a line of bsbpool itself.

Line 1. Held by:
  tests/unit/test_frames.py::test_reports_name_the_users_line
"""

from trying import last, program, verdict

TEXT = """
import time
from bsbpool_sim import simulate
def program(comm):
    while True:
        time.sleep(1)
simulate(program, 2, horizon=10)
"""
said = program(TEXT).said
line = last(said, "rank 1") or last(said, "rank 0") or last(said)
verdict("its_program.py:6" in line, line)
