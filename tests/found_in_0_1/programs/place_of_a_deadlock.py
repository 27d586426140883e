"""In an ordinary install a deadlock was reported at a line of bsbpool itself.

Line 1. Held by:
  tests/unit/test_frames.py::test_reports_name_the_users_line
  tests/unit/test_simulate.py::test_a_deadlock_is_raised_at_once_with_the_users_lines
"""

from trying import last, program, verdict

TEXT = """
from bsbpool_sim import simulate
def program(comm):
    comm.recv(source=1 - comm.rank)
simulate(program, 2)
"""
line = last(program(TEXT).said, "rank 0")
verdict("its_program.py:4" in line, line)
